#!/usr/bin/env bash
# launch/quickstart.sh [FOLDER]: sets up, builds, and takes a phantom cohort from files on disk to the liver DSC of
# validation cases that training never saw. Run again, it continues where it was: nothing done is redone.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "${1:-$root/runs/quickstart}"
out=$(realpath "${1:-$root/runs/quickstart}")
# shellcheck source=launch/environment.sh
. "$root/launch/environment.sh"

[ -e "$out/files/phantom.json" ] || hepar phantom --preset quick --sequences GED4 --out "$out/files"
hepar convert --source liqa --in "$out/files" --labels "$out/files/labels.csv" --masks "$out/files/masks" \
  --out "$out/cohort"
hepar plan --data "$out/cohort" --set select.sequence=GED4 --target-spacing 5,4,4 --patch 24,56,64 \
  --base-features 16 --max-features 64 --batch 2 --out "$out/plan.yaml"
hepar prepare --data "$out/cohort" --plan "$out/plan.yaml" --split train --label manual --out "$out/prepared"
on_ranks 2 train --config "$root/configs/quick/segmentation.yaml" --set data.path="$out/prepared" --out "$out/run"
on_ranks 2 predict --model "$out/run" --in "$out/cohort" --split val --out "$out/masks"

# The masks of the validation cases, which are in the cohort and were in no training set.
[ -d "$out/exported" ] || hepar export --data "$out/cohort" --out "$out/exported"
mkdir -p "$out/reference"
for mask in "$out"/masks/*.nii.gz; do
  case_id=$(basename "$mask" .nii.gz)
  ln -sf "$out/exported/$case_id/mask_GED4.nii.gz" "$out/reference/$case_id.nii.gz"
done
hepar evaluate --pred "$out/masks" --ref "$out/reference" --largest-component --out "$out/scores.json"
echo
echo "scores: $out/scores.json   masks: $out/masks   model: $out/run/model   metrics: $out/run/metrics.jsonl"
