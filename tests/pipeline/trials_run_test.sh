#!/usr/bin/env bash
# tests/pipeline/trials_run_test.sh BIN MPIRUN: several `hepar run --trials` at once on one experiment: each trial once;
# a living owner is left alone; a requeued job's successor takes over and the old writer ends with 4; what died with its
# allocation is nobody's fault, what died within it is; a time limit is kept.
set -euo pipefail
bin=$1
work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
cd "$work"
fail() { echo "FAILED: $*" >&2; exit 1; }
# Runs that play a Slurm job would ask scontrol for its end.
SLURM_JOB_END_TIME=$(($(date +%s) + 86400))
export SLURM_JOB_END_TIME

cat > exp.yaml <<'YAML'
name: exp
axes: {seed: [0, 1]}
stages:
  files: {command: phantom, preset: tiny, sequences: GED4}
  cohort: {command: convert, source: liqa, in: "${files}", labels: "${files}/labels.csv", masks: "${files}/masks"}
  plan: {command: plan, data: "${cohort}", target_spacing: [10, 8, 8], patch: [16, 16, 16], base_features: 4, max_features: 8, batch: 2}
  set: {command: prepare, data: "${cohort}", plan: "${plan}", split: train, label: manual}
  net: {command: train, seed: "${seed}", data: {path: "${set}"}, train: {steps: 300, checkpoint_every: 10, log_every: 10}, run: {threads: 1, heartbeat_s: 1}}
YAML
"$bin/hepar" run exp.yaml --out whole > whole.log 2>&1 || { cat whole.log; fail "the whole run"; }
ids() { "$bin/hepar" status whole --json | awk -F'"' -v stage="$1" '/": \{/ {id = $2} $4 == stage {print id}'; }
below=$(for stage in files cohort plan set; do ids $stage; done | paste -sd,)
mapfile -t nets < <(ids net)
first=${nets[0]}
weights() { grep -h weights_xxh64 "$1/trials/$first/out/outcome.json"; }

# --- inputs first; the folder of a planned experiment is enough ---
rc=0
"$bin/hepar" run exp.yaml --out exp --trials "$first" > early.log 2>&1 || rc=$?
[ "$rc" = 2 ] && grep -q "which is not planned" early.log || { cat early.log; fail "inputs that are not done: $rc"; }
"$bin/hepar" run exp.yaml --out exp --trials "$below" > below.log 2>&1 || { cat below.log; fail "the inputs"; }
[ "$(ls exp/state/done | wc -l)" = 4 ] || fail "four trials"

job() { # JOB RESTART: hepar run --trials of the first network as an element of a Slurm job would, in the background
  SLURM_JOB_ID=$1 SLURM_RESTART_COUNT=$2 "$bin/hepar" run exp --trials "$first" > "job-$1-$2.log" 2>&1 &
  pids+=($!)
}
until_step() {
  for _ in $(seq 1500); do
    if grep -qs "\"step\":$1," "exp/trials/$first/out/metrics.jsonl"; then return; fi
    sleep 0.02
  done
  fail "step $1 was not reached"
}
"$bin/hepar" run exp.yaml --out exp --trials "${nets[1]}" > second.log 2>&1 || { cat second.log; fail "the second network"; }

# --- killed with its allocation: continued by another job, nobody's fault ---
job 7 0
until_step 20
kill -KILL "${pids[-1]}"
wait "${pids[-1]}" 2>/dev/null || true
[ -e "exp/state/running/$first" ] || fail "it was not running"
job 8 0
until_step 50
grep -q "its allocation was lost" job-8-0.log || { cat job-8-0.log; fail "job 8 did not recover"; }
[ ! -e "exp/trials/$first/deaths" ] || fail "a lost allocation was counted as a death"

# --- alive: another job waits for it; the same job requeued takes over, and the old writer is fenced ---
"$bin/hepar" run exp --trials "$first" > beside.log 2>&1 &
beside=$!
pids+=("$beside")
job 8 1
successor=${pids[-1]}
rc=0
wait "${pids[-3]}" || rc=$?
[ "$rc" = 4 ] || { cat job-8-0.log; fail "the old writer ended with $rc, wanted 4"; }
wait "$successor" || { cat job-8-1.log; fail "the successor"; }
wait "$beside" || { cat beside.log; fail "the run beside"; }
# Which of the two took it when the successor had freed it does not matter.
[ "$(cat beside.log job-8-1.log | grep -c ' run  ')" = 1 ] || fail "the trial was not taken over exactly once"
[ "$(weights exp)" = "$(weights whole)" ] || fail "other weights"
[ "$(ls exp/state/done | wc -l)" = 6 ] || fail "six trials are done"
[ ! -e exp/outcome.json ] && grep -q 0 "exp/trials/$first/run.json" || fail "a part's outcome is its own"

# --- dead within its allocation, twice: failed ---
rm -r "exp/trials/$first"
"$bin/hepar" run exp.yaml --out exp --trials "$first" --dry-run > /dev/null 2>&1
SLURM_JOB_ID=9 "$bin/hepar" run exp.yaml --out exp --trials "$first" > dead.log 2>&1 &
pids+=($!)
until_step 10
kill -KILL "${pids[-1]}"
wait "${pids[-1]}" 2>/dev/null || true
SLURM_JOB_ID=9 "$bin/hepar" run exp --trials "$first" > dead2.log 2>&1 &
pids+=($!)
for _ in $(seq 500); do
  if [ -e "exp/state/running/$first" ] && [ -e "exp/trials/$first/deaths" ]; then break; fi
  sleep 0.02
done
kill -KILL "${pids[-1]}"
wait "${pids[-1]}" 2>/dev/null || true
rc=0
SLURM_JOB_ID=9 "$bin/hepar" run exp --trials "$first" > dead3.log 2>&1 || rc=$?
[ "$rc" = 1 ] && [ -e "exp/state/failed/$first" ] || { cat dead3.log; fail "two deaths: $rc"; }

# --- a time limit: a training saves and stops before it, and nobody is blamed; the same command goes on ---
limit() { date -d "+$1 seconds" +%FT%T; }
rc=0
"$bin/hepar" run exp.yaml --out limited --set axes.seed=[0] --set stages.net.train.steps=1000000 --until "$(limit 25)" \
  --until-margin-s 10 > limited.log 2>&1 || rc=$?
[ "$rc" = 75 ] && grep -q "until 20" limited.log || { cat limited.log; fail "at the time limit: $rc"; }
[ -z "$(find limited/state/running limited/state/suspect limited/state/failed -type f)" ] || fail "a trial was blamed for the time limit"
[ -n "$(find limited/trials -name 'step-*' -path '*checkpoints*')" ] || fail "the training saved nothing"

# --- what is expected to last longer than the time that is left is not started; the first trial always is ---
cat > late.yaml <<'YAML'
name: late
axes: {seed: [0, 1]}
stages:
  files: {command: phantom, preset: tiny, sequences: GED4, seed: "${seed}"}
YAML
rc=0
"$bin/hepar" run late.yaml --until "$(limit 9)" --until-margin-s 0 > late.log 2>&1 || rc=$?
[ "$rc" = 75 ] && [ "$(ls runs/late/state/done | wc -l)" = 1 ] || { cat late.log; fail "what does not fit: $rc"; }
"$bin/hepar" run late.yaml > late.log 2>&1 || { cat late.log; fail "the same command without a limit"; }
[ "$(ls runs/late/state/done | wc -l)" = 2 ] || fail "two trials are done"
rc=0
"$bin/hepar" run late.yaml --until yesterday > bad.log 2>&1 || rc=$?
[ "$rc" = 2 ] && grep -q "wanted a local time" bad.log || { cat bad.log; fail "a time that is none: $rc"; }
echo "all well"
