#!/usr/bin/env bash
# memory_test.sh PROGRAMS MPIRUN: predicting and exporting a case of 640x520x64 voxels stays below 1.5 GB, whether the
# network sees it as it is or resampled. The network is small on purpose: what a large one takes depends on the patch,
# not on the case.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"
need_cohort
limit_mib=1430  # 1.5e9 bytes

check "training" hepar train --set data.path="$work/prepared" --set train.steps=1 --set run.threads=1 \
  --set device=cpu --out "$work/run"

# little BYTES NUMBER: the number, lowest byte first.
little() {
  local i
  for ((i = 0; i < $1; i++)); do printf "\\x$(printf %02x $((($2 >> (8 * i)) & 255)))"; done
}
zeros() { head -c "$1" /dev/zero; }

# image FILE: NIfTI of 64 planes of 520 rows of 640 noisy int16, 0.6 x 0.6 x 3 mm.
image() {
  local one=1065353216 in_plane=1058642330 slice=1077936128  # 1, 0.6 and 3 as float bits
  {
    little 4 348; zeros 36
    for n in 3 640 520 64 1 1 1 1; do little 2 $n; done
    zeros 14
    little 2 4; little 2 16; zeros 2                                   # int16
    for n in $one $in_plane $in_plane $slice $one $one $one $one; do little 4 $n; done
    little 4 1135607808; little 4 $one; zeros 7; printf '\002'         # voxels at 352, slope 1, mm
    zeros 128
    little 2 0; little 2 1; zeros 24                                   # sform only
    for n in $in_plane 0 0 0  0 $in_plane 0 0  0 0 $slice 0; do little 4 $n; done
    zeros 16
    printf 'n+1\0'; zeros 4
    head -c $((640 * 520 * 64 * 2)) /dev/urandom
  } >"$1"
}
mkdir "$work/in"
image "$work/in/large.nii"
equal "the image" "640,520,64" "$(hepar inspect "$work/in/large.nii" --json | sed 's/.*"size":\[\([0-9]*\),\([0-9]*\),\([0-9]*\)\].*/\3,\2,\1/')"

# peak NAME FOLDER: predicts with the model, whose plan decides on which grid, and compares the peak.
peak() {
  local found
  timeout 1500 "$programs/hepar" predict --model "$work/run" --in "$work/in" --out "$work/$1" --set mirror=false --step 1 \
    --threads 2 --device cpu >"$work/$1.log" 2>&1
  found=$(sed -n 's/.*peak memory \([0-9]*\) MiB.*/\1/p' "$work/$1.log")
  echo "$1: peak memory ${found:-not said} MiB, wanted at most $limit_mib"
  check "$1 is below the limit" test "${found:-$((limit_mib + 1))}" -le $limit_mib
  check "$1 has a mask" test -s "$work/$1/large.nii.gz"
}
# The weights fit any spacing and patch: the plan beside them is what changes.
sed -i "s/^spacing_mm:.*/spacing_mm: [3, 0.6, 0.6]/; s/^patch_size:.*/patch_size: [32, 64, 64]/" "$work/run/model/plan.yaml"
peak as_it_is
sed -i "s/^spacing_mm:.*/spacing_mm: [2.5, 0.8, 0.8]/" "$work/run/model/plan.yaml"
peak resampled
exit $failed
