#!/usr/bin/env bash
# launch/real_data/chaos_t2spir.sh FOLDER OUT: CHAOS T2-SPIR as NIfTI pairs (FOLDER/image_N.nii.gz, label_N.nii.gz):
# each patient in turn is predicted by a network trained on the others. See docs/real-data.md.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
in=$(realpath "$1")
mkdir -p "$2/reference"
out=$(realpath "$2")
. "$root/launch/environment.sh"

for image in "$in"/image_*.nii.gz; do
  n=$(basename "${image#"$in"/image_}" .nii.gz)
  ln -sf "$in/label_$n.nii.gz" "$out/reference/chaos_$n.nii.gz"
done
for held_out in "$out"/reference/*.nii.gz; do
  patient=$(basename "$held_out" .nii.gz)
  fold=$out/$patient
  mkdir -p "$fold"
  {
    echo "id,image,mask,split,sequence"
    for image in "$in"/image_*.nii.gz; do
      n=$(basename "${image#"$in"/image_}" .nii.gz)
      split=train
      [ "chaos_$n" = "$patient" ] && split=test
      echo "chaos_$n,$image,$in/label_$n.nii.gz,$split,T2SPIR"
    done
  } >"$fold/cases.csv"
  hepar convert --source table --in "$fold/cases.csv" --out "$fold/cohort" \
    --classes background,liver,right_kidney,left_kidney,spleen
  hepar plan --data "$fold/cohort" --set select.sequence=T2SPIR --target-spacing 7.7,3,3 --patch 32,80,96 \
    --base-features 12 --max-features 96 --batch 2 --out "$fold/plan.yaml"
  hepar prepare --data "$fold/cohort" --plan "$fold/plan.yaml" --split train --out "$fold/prepared"
  on_ranks 2 train --config "$root/configs/real_data/chaos_t2spir.yaml" --set data.path="$fold/prepared" \
    --out "$fold/run"
  on_ranks 2 predict --model "$fold/run" --in "$fold/cohort" --split test --largest-component --out "$out/masks"
done
hepar evaluate --pred "$out/masks" --ref "$out/reference" --labels 1 --out "$out/scores.json"
