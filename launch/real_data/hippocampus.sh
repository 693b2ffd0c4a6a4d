#!/usr/bin/env bash
# launch/real_data/hippocampus.sh FOLDER OUT: trains on MSD Task04 Hippocampus as the Udacity course ships it
# (FOLDER/images, FOLDER/labels) and scores on cases that nothing was chosen on. See docs/real-data.md.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
in=$(realpath "$1")
mkdir -p "$2/reference"
out=$(realpath "$2")
. "$root/launch/environment.sh"

# Cases with both image and mask, sorted; of every four the first is a test case.
{
  echo "id,image,mask,split,sequence"
  n=0
  for image in "$in"/images/*.nii.gz; do
    id=$(basename "$image" .nii.gz)
    if [ ! -e "$in/labels/$id.nii.gz" ]; then
      echo "no mask, left out: $id" >&2
      continue
    fi
    split=train
    [ $((n % 4)) = 0 ] && split=test && ln -sf "$in/labels/$id.nii.gz" "$out/reference/$id.nii.gz"
    echo "$id,$image,$in/labels/$id.nii.gz,$split,T1"
    n=$((n + 1))
  done
} >"$out/cases.csv"

hepar convert --source table --in "$out/cases.csv" --classes background,anterior,posterior --out "$out/cohort"
hepar plan --data "$out/cohort" --set select.sequence=T1 --base-features 16 --max-features 128 --batch 4 \
  --out "$out/plan.yaml"
hepar prepare --data "$out/cohort" --plan "$out/plan.yaml" --split train --out "$out/prepared"
on_ranks 2 train --config "$root/configs/real_data/hippocampus.yaml" --set data.path="$out/prepared" --out "$out/run"
on_ranks 2 predict --model "$out/run" --in "$out/cohort" --split test --out "$out/masks"
hepar evaluate --pred "$out/masks" --ref "$out/reference" --out "$out/scores.json"
