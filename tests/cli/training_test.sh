#!/usr/bin/env bash
# training_test.sh PROGRAMS MPIRUN: the same weights on 1, 2 and 4 ranks; a training that is killed, or asked to
# stop, continues to the weights of one that never was.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"
need_cohort

# train RANKS OUT [FLAG...]: 30 steps; one thread a rank, however many ranks share the processors.
train() {
  local ranks=$1 out=$2
  shift 2
  on_ranks "$ranks" "${training[@]}" --out "$out" "$@" >"$out.log" 2>&1
}
training=(train --set data.path="$work/prepared" --set train.steps=30 --set train.global_batch=4
  --set train.checkpoint_every=5 --set train.log_every=1 --set run.threads=1
  --set dist.reduction=tree --set dist.shards=4 --set device=cpu)

hash_of() { json_value "$1/outcome.json" weights_xxh64; }
steps_of() { grep -c '"loss"' "$1/metrics.jsonl"; }
reached() { grep -q "^{\"step\":$2," "$1/metrics.jsonl"; }

# start RANKS OUT [FLAG...]: the same in the background; $job is its mpirun, whose children are the ranks.
start() {
  local ranks=$1 out=$2
  shift 2
  "$mpirun" "$ranks" "$programs/hepar" "${training[@]}" --out "$out" "$@" >"$out.log" 2>&1 &
  job=$!
  started+=("$job")
}
ranks_of() { children_of "$1" | while read -r pid; do
  grep -qa hepar "/proc/$pid/cmdline" && echo "$pid"; done; }

# --- Any number of ranks --------------------------------------------------------------------------
for ranks in 1 2 4; do
  out=$work/on_$ranks
  check "30 steps on $ranks ranks" train $ranks "$out"
  if [ $ranks = 1 ]; then wanted=$(hash_of "$out"); fi
  equal "weights on $ranks ranks" "$wanted" "$(hash_of "$out")"
  equal "outcome on $ranks ranks" "0 30 30" \
    "$(json_value "$out/outcome.json" exit_code) $(json_value "$out/outcome.json" steps) $(json_value "$out/outcome.json" steps_done)"
done
check "another seed" train 1 "$work/seed" --set seed=1
if [ "$(hash_of "$work/seed")" = "$wanted" ]; then
  echo "FAILED another seed gives the same weights"
  failed=1
fi

# --- Killed at step 17 ----------------------------------------------------------------------------
out=$work/killed
start 2 "$out"
check "reaches step 17" until_true 60 reached "$out" 17
kill -KILL $(ranks_of "$job")
wait "$job"
check "died before its end" test ! -e "$out/outcome.json" -a "$(steps_of "$out")" -lt 30
echo "killed after $(steps_of "$out") steps, checkpoint $(cat "$out/checkpoints/latest")"
check "continues" train 2 "$out"
# That of step 15 may have been under way; then the one before it is whole.
check "from the checkpoint" grep -qE "continuing .* at step (10|15|20|25)$" "$out.log"
equal "weights after the kill" "$wanted" "$(hash_of "$out")"
equal "every step is recorded once" 30 "$(steps_of "$out")"

# --- Asked to stop --------------------------------------------------------------------------------
for signal in TERM USR2; do
  out=$work/stopped_$signal
  start 2 "$out"
  check "reaches step 7" until_true 60 reached "$out" 7
  kill -$signal "$(ranks_of "$job" | tail -n 1)"  # one rank is enough: they agree
  wait "$job"
  equal "exit code after SIG$signal" 75 $?
  equal "outcome after SIG$signal" "75 stopped on request" \
    "$(json_value "$out/outcome.json" exit_code) $(json_value "$out/outcome.json" message)"
  equal "the last step is saved" "step-$(printf %07d "$(steps_of "$out")")" "$(cat "$out/checkpoints/latest")"
  check "has no model yet" test ! -e "$out/model"
  check "continues on another number of ranks" train $([ $signal = TERM ] && echo 4 || echo 1) "$out"
  equal "weights after SIG$signal" "$wanted" "$(hash_of "$out")"
  equal "outcome in the end" 0 "$(json_value "$out/outcome.json" exit_code)"
done

# --- Checkpoints that cannot be written ------------------------------------------------------------
for ranks in 1 2; do
  out=$work/unwritable_$ranks
  mkdir "$out" && touch "$out/checkpoints"
  expect "a failed checkpoint, $ranks ranks" 3 "$out/checkpoints: the folder cannot be created" \
    on_ranks $ranks "${training[@]}" --out "$out"
  equal "its outcome" 3 "$(json_value "$out/outcome.json" exit_code)"
  check "soon" test "$(steps_of "$out")" -le 10
done

# --- One run a folder -----------------------------------------------------------------------------
out=$work/busy
start 2 "$out" --set train.steps=100000 --set run.heartbeat_s=0.3
check "is running" until_true 60 reached "$out" 2
expect "a second run in the same folder" 4 "another run is writing here: process" \
  hepar "${training[@]}" --set train.steps=100000 --set run.heartbeat_s=0.3 --out "$out"
check "the first goes on" kill -0 "$job"
kill -TERM $(ranks_of "$job")
wait "$job"
equal "and stops when asked" 75 $?

# --- Continued with other settings ----------------------------------------------------------------
out=$work/on_1
expect "another learning rate" 2 "this run was started with another config" \
  hepar "${training[@]}" --set optimizer.lr=0.5 --out "$out"
expect "another number of threads" 0 "warning" hepar "${training[@]}" --set run.threads=2 --out "$out"
expect "more ranks than shards" 2 "dist.shards" \
  on_ranks 4 "${training[@]}" --set dist.shards=2 --out "$work/few_shards"

exit $failed
