#!/usr/bin/env bash
# launch/real_data/chaos_t2spir.sh FOLDER OUT: CHAOS T2-SPIR as NIfTI pairs (FOLDER/image_N.nii.gz, label_N.nii.gz):
# each patient in turn is predicted by networks trained on the others. See docs/real-data.md.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
in=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")

{
  echo "id,image,mask,split,sequence"
  for image in "$in"/image_*.nii.gz; do
    n=$(basename "${image#"$in"/image_}" .nii.gz)
    echo "chaos_$n,$image,$in/label_$n.nii.gz,train,T2SPIR"
  done
} >"$out/cases.csv"
exec "$root/launch/experiment.sh" 2 "$root/configs/real_data/chaos_t2spir.yaml" "$out/experiment" \
  --set values.cases="$out/cases.csv"
