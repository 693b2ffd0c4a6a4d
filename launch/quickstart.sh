#!/usr/bin/env bash
# launch/quickstart.sh [FOLDER]: sets up, builds, and takes a phantom cohort from files on disk to the liver DSC of
# validation cases that training never saw. Run again, it continues where it was: nothing done is redone.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:-$root/runs/quickstart}
cd "$root"
if [ -d .deps/root ]; then launch/bootstrap.sh --user; else launch/bootstrap.sh; fi
# shellcheck disable=SC1091
if [ -e .deps/env.sh ]; then set +u; . .deps/env.sh; set -u; fi

cmake --preset cpu
cmake --build --preset cpu --target hepar hepar-engine hepar-prep
bin=$root/build/cpu/bin
mpi=(mpirun --oversubscribe --bind-to none -n 2)
[ "$(id -u)" = 0 ] && mpi+=(--allow-run-as-root)
mkdir -p "$out"

if [ ! -e "$out/files/phantom.json" ]; then
  "$bin/hepar" phantom --preset quick --sequences GED4 --out "$out/files"
fi
"$bin/hepar" convert --source liqa --in "$out/files" --labels "$out/files/labels.csv" \
  --masks "$out/files/masks" --out "$out/cohort"
"$bin/hepar" plan --data "$out/cohort" --set select.sequence=GED4 --target-spacing 5,4,4 --patch 24,56,64 \
  --base-features 16 --max-features 64 --batch 4 --out "$out/plan.yaml"
"$bin/hepar" prepare --data "$out/cohort" --plan "$out/plan.yaml" --split train --label manual \
  --out "$out/prepared"
"${mpi[@]}" "$bin/hepar" train --config configs/quick/segmentation.yaml --set data.path="$out/prepared" \
  --out "$out/run"
"${mpi[@]}" "$bin/hepar" predict --model "$out/run" --in "$out/cohort" --split val --out "$out/masks"
"$bin/hepar" export --data "$out/cohort" --out "$out/exported"
mkdir -p "$out/reference"
for mask in "$out"/masks/*.nii.gz; do
  case_id=$(basename "$mask" .nii.gz)
  cp "$out/exported/$case_id/mask_GED4.nii.gz" "$out/reference/$case_id.nii.gz"
done
"$bin/hepar" evaluate --pred "$out/masks" --ref "$out/reference" --largest-component --out "$out/scores.json"
echo
echo "scores: $out/scores.json   masks: $out/masks   model: $out/run/model   metrics: $out/run/metrics.jsonl"
