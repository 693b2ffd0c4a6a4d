#!/usr/bin/env bash
# prediction_test.sh PROGRAMS MPIRUN: masks lie on the grids of the images they were made for, whether those are
# files or shards, whatever the number of ranks; and are scored.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"
need_cohort

check "training" hepar train --set data.path="$work/prepared" --set train.steps=60 --set optimizer.name=adamw \
  --set optimizer.lr=0.01 --set augmentation.enabled=false --set run.threads=1 --set device=cpu --out "$work/run"

# Files of two validation cases and their truth. The phantom's grids are oblique.
mkdir "$work/in" "$work/truth"
for image in "$work"/files/LiQA_val/Data/Vendor_A/*/GED4.nii.gz; do
  name=$(basename "$(dirname "$image")")
  cp "$image" "$work/in/$name.nii.gz"
  cp "$work/files/truth/$name/GED4.nii.gz" "$work/truth/$name.nii.gz"
done
equal "images to predict" 2 "$(find "$work/in" -type f | wc -l)"

# geometry FILE: size, spacing, direction and origin, as they are stored.
geometry() { hepar inspect "$1" --json | sed 's/.*"size"/"size"/; s/,"type".*//'; }

check "predict" hepar predict --threads 1 --model "$work/run" --in "$work/in" --out "$work/masks"
for image in "$work"/in/*; do
  name=$(basename "$image")
  equal "grid of $name" "$(geometry "$image")" "$(geometry "$work/masks/$name")"
done
check "evaluate" hepar evaluate --pred "$work/masks" --ref "$work/truth" --out "$work/scores.json"
equal "cases scored" 2 "$(grep -c '"id"' "$work/scores.json")"
grep -A1 '"dsc"' "$work/scores.json" | head -n 4

# The masks say something: not empty, and not everything.
for mask in "$work"/masks/*.nii.gz; do
  line=$(hepar inspect "$mask" --json)
  check "labels of $(basename "$mask")" grep -q '"min":0.0,"max":1.0' <<<"$line"
done

# same_masks FOLDER: the masks predicted first, byte for byte.
# shellcheck disable=SC2317
same_masks() {
  local mask
  for mask in "$work"/masks/*.nii.gz; do cmp "$mask" "$1/$(basename "$mask")" || return 1; done
  [ "$(find "$1" -name "*.nii.gz" | wc -l)" = 2 ]
}

check "predict on 2 ranks" on_ranks 2 predict --threads 1 --model "$work/run" --in "$work/in" --out "$work/on_2"
check "2 ranks give the same masks" same_masks "$work/on_2"
check "predict from shards" hepar predict --threads 1 --model "$work/run" --in "$work/cohort" --split val --out "$work/shards"
for image in "$work"/in/*; do
  name=$(basename "$image")
  equal "grid of $name from shards" "$(geometry "$image")" "$(geometry "$work/shards/$name")"
done
check "shards give the same masks" same_masks "$work/shards"
check "predict with a model twice" hepar predict --threads 1 --model "$work/run,$work/run/model" --in "$work/in" \
  --out "$work/twice"
check "the mean of equal models is the model" same_masks "$work/twice"

# Predicted again: what is there stays; what is missing is made.
first=$(find "$work/masks" -name "*.nii.gz" | sort | head -n 1)
cp "$first" "$work/kept"
rm "$first"
last=$(find "$work/masks" -name "*.nii.gz" | sort | tail -n 1)
stamp=$(stat -c %y "$last")
check "predict again" hepar predict --threads 1 --model "$work/run" --in "$work/in" --out "$work/masks"
check "the missing mask is made" cmp "$first" "$work/kept"
equal "the other is left alone" "$stamp" "$(stat -c %y "$last")"

# One bad file: named, and the others are predicted.
mkdir "$work/mixed"
cp "$work"/in/* "$work/mixed"
bad=$work/mixed/broken.nii.gz
head -c 3000 "$first" >"$bad"
expect "a broken image" 3 "$bad" hepar predict --threads 1 --model "$work/run" --in "$work/mixed" --out "$work/some"
check "the others are predicted" same_masks "$work/some"
expect "a dry run" 0 "would predict 2 images" \
  hepar predict --threads 1 --model "$work/run" --in "$work/in" --out "$work/dry" --dry-run
check "a dry run writes nothing" test ! -e "$work/dry"
expect "no model" 3 "model.json" hepar predict --threads 1 --model "$work/nothing" --in "$work/in" --out "$work/none"
expect "no input" 3 "$work/nowhere: no such folder" \
  hepar predict --threads 1 --model "$work/run" --in "$work/nowhere" --out "$work/none"
check "nothing was written for them" test ! -e "$work/none"
exit $failed
