#!/usr/bin/env bash
# tests/slurm/submit_test.sh BIN MPIRUN: `hepar submit` on a real Slurm of one node, started here. An experiment to its
# table through arrays and dependencies; submitted again; with a trial deleted; trainings that meet a time limit, a
# signal, and the death of the node's daemons, and end with the weights of a run never stopped.
# Exit 77 (skipped) without root or Slurm: apt-get install slurm-wlm munge.
set -euo pipefail
bin=$1
mpirun=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
if [ "$(id -u)" != 0 ] || ! command -v slurmctld munged slurmd srun > /dev/null; then
  echo "SKIPPED: wants root and Slurm (apt-get install slurm-wlm munge)"
  exit 77
fi
work=$(mktemp -d)
finish() {
  "$here/stop.sh" "$work/slurm" 2>/dev/null || true
  if [ -n "${HEPAR_KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap finish EXIT
cd "$work"
fail() {
  echo "FAILED: $*" >&2
  squeue -r >&2 || true
  for log in "${out:-none}"/slurm/logs/*; do echo "--- $log" >&2; tail -n 15 "$log" >&2; done
  exit 1
}
"$here/start.sh" "$work/slurm" SlurmdTimeout=60
# shellcheck disable=SC1091
. "$work/slurm/env"

submit() { "$bin/hepar" submit "$@" > submit.txt 2>&1 || { cat submit.txt >&2; fail "hepar submit $*"; }; }
trials() { awk '/^job .* trial/ {sum += $4} END {print sum + 0}' submit.txt; }
queue_empty() { # SECONDS
  local end=$((SECONDS + $1))
  while [ -n "$(squeue -h)" ]; do
    [ $SECONDS -lt $end ] || fail "the queue is not empty after $1 s"
    sleep 1
  done
}
done_trials() { ls "$1/state/done" 2>/dev/null | wc -l; }

# --- an experiment to its table ---
cat > study.yaml <<'YAML'
name: study
axes: {row: [short, long]}
defaults: {train: {train: {log_every: 10}, run: {threads: 1}}}
stages:
  files: {command: phantom, preset: tiny, sequences: GED4}
  cohort: {command: convert, source: liqa, in: "${files}", labels: "${files}/labels.csv", masks: "${files}/masks"}
  plan: {command: plan, data: "${cohort}", target_spacing: [10, 8, 8], patch: [16, 16, 16], base_features: 4, max_features: 8, batch: 2}
  set: {command: prepare, data: "${cohort}", plan: "${plan}", split: train, label: manual}
  short: {command: train, data: {path: "${set}"}, train: {steps: 10}}
  long: {command: train, data: {path: "${set}"}, train: {steps: 20}}
  references: {command: masks, data: "${cohort}", sequence: GED4, split: val}
  predictions: {command: predict, model: "${${row}}", in: "${cohort}", split: val, mirror: false, step: 1}
  scores: {command: evaluate, pred: "${predictions}", ref: "${references}"}
table:
  scores: scores
  cohort: cohort
  rows: row
  groups: {all: {split: val}}
YAML
cat > site.yaml <<'YAML'
time: "00:10:00"
signal_s: 30
throttle: 2
commands: {train: {ranks: 2}, convert: {ranks: 2, launcher: mpirun}}
YAML
out=$work/study
"$bin/hepar" submit study.yaml --out study --site site.yaml --dry-run > dry.txt 2>&1 || { cat dry.txt; fail "dry run"; }
[ ! -e study ] && [ -z "$(squeue -h)" ] || fail "a dry run wrote or submitted"
grep -q '^#SBATCH --array=0-1%2$' dry.txt && grep -q '^srun\|srun --mpi=pmix' dry.txt || fail "the dry run shows no scripts"
submit study.yaml --out study --site site.yaml
[ "$(trials)" = 11 ] || { cat submit.txt; fail "eleven trials"; }
# While they wait: nothing is submitted twice.
submit study.yaml --out study --site site.yaml
[ "$(trials)" = 0 ] || { cat submit.txt; fail "trials were submitted that were in the queue"; }
[ "$(squeue -h -o %E | grep -c aftercorr)" -ge 1 ] || { squeue -o '%i %j %E'; fail "no element waits for its own"; }
queue_empty 1200
[ "$(done_trials study)" = 11 ] || { "$bin/hepar" status study; fail "not all done"; }
[ -s study/report/table.md ] || fail "no table"
cat study/report/table.md

# --- again: nothing; one deleted: one ---
submit study.yaml --out study --site site.yaml
grep -q 'nothing to submit: 11 of 11' submit.txt || { cat submit.txt; fail "submitted again"; }
trial=$(basename "$(dirname "$(find study/trials -name scores.json | head -1)")")
rm -r "study/trials/$trial"
submit study --site site.yaml
[ "$(trials)" = 1 ] && [ "$(cat study/slurm/00[0-9]/*scores*.txt | grep -c "$trial")" = 2 ] || { cat submit.txt; fail "not one"; }
queue_empty 120
[ "$(done_trials study)" = 11 ] || fail "the deleted trial was not done again"

# --- a trial that is not in the experiment ---
rc=0
"$bin/hepar" run study --trials 0123456789abcdef > trials.txt 2>&1 || rc=$?
[ "$rc" = 2 ] && grep -q "no trial '0123456789abcdef'" trials.txt || { cat trials.txt; fail "an unknown trial"; }

# --- trainings that are interrupted: as many steps as take about a minute here ---
trial=$("$bin/hepar" status study --json | awk -F'"' '/": \{/ {id = $2} /"stage": "long"/ {print id}')
steps=$(tail -n 1 "study/trials/$trial/out/metrics.jsonl" |
  sed -n 's/.*"step_s":\([0-9.e-]*\).*/\1/p' | awk '{n = int(60 / $1); print n < 100 ? 100 : n > 4000 ? 4000 : n}')
echo "trainings of $steps steps"
cat > long.yaml <<YAML
name: long
stages:
  files: {command: phantom, preset: tiny, sequences: GED4}
  cohort: {command: convert, source: liqa, in: "\${files}", labels: "\${files}/labels.csv", masks: "\${files}/masks"}
  plan: {command: plan, data: "\${cohort}", target_spacing: [10, 8, 8], patch: [16, 16, 16], base_features: 4, max_features: 8, batch: 2}
  set: {command: prepare, data: "\${cohort}", plan: "\${plan}", split: train, label: manual}
  net: {command: train, data: {path: "\${set}"}, train: {steps: $steps, checkpoint_every: $((steps / 10)), log_every: $((steps / 50))}, run: {threads: 1}}
YAML
"$mpirun" 2 "$bin/hepar" run long.yaml --out whole > whole.log 2>&1 || { cat whole.log; fail "the whole run"; }
net=$("$bin/hepar" status whole --json | awk -F'"' '/": \{/ {id = $2} /"stage": "net"/ {print id}')
weights() { grep -h weights_xxh64 "$1/trials/$net/out/outcome.json"; }
starts() { cat "$1"/slurm/logs/net-* | grep -c ', start '; }
step_of() { tail -n 1 "$1/trials/$net/out/metrics.jsonl" 2>/dev/null | sed -n 's/.*"step":\([0-9]*\).*/\1/p'; }
until_step() { # FOLDER STEP
  local end=$((SECONDS + 300)) step
  while step=$(step_of "$1"); [ "${step:-0}" -lt "$2" ]; do
    [ $SECONDS -lt $end ] || fail "step $2 was not reached"
    sleep 0.2
  done
}
net_job() { squeue -h -r -t running -o '%A' | head -1; }
same() {
  [ -e "$1/state/done/$net" ] || { "$bin/hepar" status "$1"; fail "$1: the training is not done"; }
  [ "$(weights whole)" = "$(weights "$1")" ] || fail "$1: other weights than the uninterrupted run: $(weights "$1")"
  [ ! -e "$1/trials/$net/deaths" ] || fail "$1: somebody was blamed"
  echo "$1: $(starts "$1") starts, the same weights"
}

out=$work/limit
cat > limit.yaml <<'YAML'
time: "00:05:00"
signal_s: 30
# Slurm looks every 30 s: the signal comes 10 to 40 s after the start.
commands: {train: {ranks: 2, time: "00:01:00", signal_s: 20}}
YAML
submit long.yaml --out limit --site limit.yaml
queue_empty 900
same limit
[ "$(starts limit)" -ge 2 ] || fail "the time limit never struck"

out=$work/signal
submit long.yaml --out signal --site site.yaml
until_step signal $((steps / 4))
scancel --signal=TERM "$(net_job)"
queue_empty 600
same signal
[ "$(starts signal)" = 2 ] || fail "one signal, one requeue"

# Everything that the node runs for the job dies, slurmd too; then the node comes back.
out=$work/node
submit long.yaml --out node --site site.yaml
until_step node $((steps / 4))
job=$(net_job)
victims=$(scontrol listpids "$job" | awk 'NR > 1 && $1 > 0 {print $1}')
daemons=$(for pid in $victims; do
  parent=$(awk '{print $4}' "/proc/$pid/stat" 2>/dev/null || echo 0)
  if grep -qs slurmstepd "/proc/$parent/comm"; then echo "$parent"; fi
done | sort -u)
[ -n "$victims" ] && [ -n "$daemons" ] || fail "job $job has no processes"
# shellcheck disable=SC2086
kill -KILL "$(cat "$work/slurm/slurmd.pid")" $daemons $victims 2>/dev/null || true
before=$(step_of node)
sleep 2
slurmd > "$work/slurm/log/slurmd.start" 2>&1
queue_empty 600
same node
[ "$(starts node)" = 2 ] || fail "one failure, one requeue"
echo "node: killed at step $before"
echo "all well"
