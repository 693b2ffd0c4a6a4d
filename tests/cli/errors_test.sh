#!/usr/bin/env bash
# errors_test.sh PROGRAMS MPIRUN: mistakes on the command line and damaged or unwritable files end with the
# documented code and a message that says what to do, before anything is written; help works everywhere.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"
need_cohort

# --- Help -----------------------------------------------------------------------------------------
commands="phantom convert verify inspect export plan prepare train predict choose evaluate score submission doctor"
overview=$(hepar --help)
for command in $commands; do
  check "hepar --help names $command" grep -q "^$command " <<<"$overview"
  expect "hepar $command --help" 0 "--dry-run" hepar "$command" --help
done
for word in help -h; do expect "hepar $word" 0 "$(head -n 1 <<<"$overview")" hepar $word; done
expect "hepar alone" 0 "$(head -n 1 <<<"$overview")" hepar
expect "help on 2 ranks is printed once" 0 "--dry-run" on_ranks 2 train --help

# --- Unknown words name the nearest ---------------------------------------------------------------
expect "unknown command" 2 "did you mean 'predict'?" hepar predct
expect "unknown command, nothing near" 2 "see hepar --help" hepar xylophone
for command in $commands; do
  expect "unknown flag of $command" 2 "did you mean '--config'?" hepar "$command" --confg x
  expect "unknown key of $command" 2 "unknown key 'nosuch" hepar "$command" --set nosuch.key=1
done
expect "unknown key" 2 "did you mean 'train.steps'?" hepar train --set trian.steps=3
expect "unknown key on 2 ranks" 2 "did you mean 'train.steps'?" on_ranks 2 train --set trian.steps=3
printf 'seed: 1\ntrain:\n  stepps: 3\n  log_every: 0\n' >"$work/bad.yaml"
expect "unknown key in a file" 2 "bad.yaml:3: unknown key 'train.stepps'; did you mean 'train.steps'?" \
  hepar train --config "$work/bad.yaml"
expect "all mistakes of a file at once" 2 "bad.yaml:4: train.log_every: wanted >= 1, found 0" \
  hepar train --config "$work/bad.yaml"
expect "no such file" 2 "$work/nothing.yaml" hepar train --config "$work/nothing.yaml"
expect "wrong type" 2 "train.steps: wanted an integer, found 'many'" hepar train --set train.steps=many
expect "wrong choice" 2 "did you mean 'tree'?" hepar train --set dist.reduction=tre
expect "flag without a value" 2 "see --help" hepar train --out
expect "no value" 2 "wanted key=value" hepar train --set train.steps
expect "a bare word" 2 "see --help" hepar train somewhere

# --- What is missing ------------------------------------------------------------------------------
expect "no run folder" 2 "--out DIR" hepar train --set data.path="$work/prepared"
expect "no data" 2 "data.path" hepar train --out "$work/run"
expect "no such data" 3 "$work/nothing" hepar train --set data.path="$work/nothing" --out "$work/run"
expect "no such fold" 2 "data.fold: wanted all or 0 … 4, found '7'" \
  hepar train --set data.path="$work/prepared" --set data.fold=7 --out "$work/run"
expect "no model" 2 "--model DIR" hepar predict --in "$work/files" --out "$work/run"
expect "no device" 2 "device" hepar train --set data.path="$work/prepared" --set device=tpu --out "$work/run"
check "nothing was written" test ! -e "$work/run"

# --- Dry runs -------------------------------------------------------------------------------------
expect "train --dry-run prints the configuration" 0 "  steps: 7" \
  hepar train --set data.path="$work/prepared" --set train.steps=7 --out "$work/run" --dry-run
hepar train --set data.path="$work/prepared" --set train.steps=7 --out "$work/run" --dry-run >"$work/dry.yaml"
expect "what it prints is a configuration" 0 "  steps: 7" \
  hepar train --config "$work/dry.yaml" --out "$work/run" --dry-run
expect "plan --dry-run" 0 "patch_size" \
  hepar plan --spacing 5,3,3 --shape 40,128,128 --cases 10 --classes 2 --out "$work/dry_plan.yaml" --dry-run
expect "phantom --dry-run" 0 "" hepar phantom --preset tiny --out "$work/dry_files" --dry-run
expect "convert --dry-run" 0 "" hepar convert --source liqa --in "$work/files" --out "$work/dry_cohort" --dry-run
expect "prepare --dry-run" 0 "" hepar prepare --data "$work/cohort" --plan "$work/plan.yaml" --split train \
  --label manual --out "$work/dry_prepared" --dry-run
check "dry runs write nothing" test ! -e "$work/run" -a ! -e "$work/dry_plan.yaml" -a ! -e "$work/dry_files" \
  -a ! -e "$work/dry_cohort" -a ! -e "$work/dry_prepared" -a ! -e "$work/dry_cohort.partial" \
  -a ! -e "$work/dry_prepared.partial"

# --- Outputs that cannot be written ---------------------------------------------------------------
echo "a file" >"$work/file"
for ranks in 1 2; do
  expect "a run folder below a file, $ranks ranks" 3 "$work/file/run" on_ranks $ranks train \
    --set data.path="$work/prepared" --set dist.shards=2 --set train.steps=1 --out "$work/file/run"
done
expect "a plan below a file" 3 "$work/file" hepar plan --spacing 5,3,3 --shape 40,128,128 --cases 10 \
  --classes 2 --out "$work/file/plan.yaml"
expect "scores below a file" 3 "$work/file" hepar evaluate \
  --pred "$(dirname "$(find "$work/files/truth" -name GED4.nii.gz | head -n 1)")" \
  --ref "$(dirname "$(find "$work/files/truth" -name GED4.nii.gz | head -n 1)")" --out "$work/file/scores.json"
expect "a cohort below a file" 3 "$work/file/cohort" \
  hepar convert --source liqa --in "$work/files" --out "$work/file/cohort"
expect "a phantom below a file" 3 "$work/file/phantom" \
  hepar phantom --preset tiny --sequences GED4 --out "$work/file/phantom"

# --- A byte of a shard flipped --------------------------------------------------------------------
# flip FILE: the byte in its middle, which is part of some voxels.
flip() {
  local at=$(($(stat -c %s "$1") / 2)) old
  old=$(od -An -tu1 -j $at -N 1 "$1")
  # shellcheck disable=SC2059
  printf "\\x$(printf %02x $((old ^ 255)))" | dd of="$1" bs=1 seek=$at conv=notrunc status=none
}
flip "$work/prepared/shards/shard-00000.h5"
for ranks in 1 2; do
  expect "training on a damaged shard, $ranks ranks" 3 "shard-00000.h5" on_ranks $ranks train \
    --set data.path="$work/prepared" --set dist.shards=2 --set train.steps=20 --set run.threads=1 \
    --out "$work/damaged_$ranks"
  equal "its outcome" 3 "$(json_value "$work/damaged_$ranks/outcome.json" exit_code)"
done
expect "verifying it" 3 "shard-00000.h5:/cases/" hepar verify "$work/prepared"
flip "$work/cohort/shards/shard-00000.h5"
expect "preparing a damaged cohort" 3 "shard-00000.h5" hepar prepare --data "$work/cohort" \
  --plan "$work/plan.yaml" --split train --label manual --out "$work/prepared_2"
check "no set is made of it" test ! -e "$work/prepared_2"
expect "planning a damaged cohort" 3 "shard-00000.h5" hepar plan --data "$work/cohort" --out "$work/plan_2.yaml"
check "no plan is made of it" test ! -e "$work/plan_2.yaml"

# --- Start-up -------------------------------------------------------------------------------------
check "version" grep -qE '^hepar [0-9]+\.[0-9]+' <(hepar --version)
best=999999
for _ in 1 2 3 4 5; do
  start=$(date +%s%N)
  hepar --version >/dev/null
  spent=$((($(date +%s%N) - start) / 1000))
  [ $spent -lt $best ] && best=$spent
done
echo "hepar --version: $((best / 1000)).$(printf %03d $((best % 1000))) ms"
check "the front door starts at once" test $best -lt 1000000  # 0.1 s is the aim, on an idle machine
exit $failed
