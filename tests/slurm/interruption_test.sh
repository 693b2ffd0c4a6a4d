#!/usr/bin/env bash
# tests/slurm/interruption_test.sh BIN MPIRUN: trainings in Slurm that meet a time limit, a signal, and the death of the
# node's daemons and ranks, are requeued and end with the weights of a run never stopped.
set -euo pipefail
# shellcheck source=tests/slurm/support.sh
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

cat > long.yaml <<'YAML'
name: long
values: {steps: 200}
stages:
  files: {command: phantom, preset: tiny, sequences: GED4}
  cohort: {command: convert, source: liqa, in: "${files}", labels: "${files}/labels.csv", masks: "${files}/masks"}
  plan: {command: plan, data: "${cohort}", target_spacing: [10, 8, 8], patch: [16, 16, 16], base_features: 4, max_features: 8, batch: 2}
  set: {command: prepare, data: "${cohort}", plan: "${plan}", split: train, label: manual}
  net: {command: train, data: {path: "${set}"}, train: {steps: "${steps}", checkpoint_every: 100, log_every: 1}, run: {threads: 1}}
YAML
cat > site.yaml <<'YAML'
commands: {train: {ranks: 2, time: "00:10:00"}}
YAML
# Slurm looks every 30 s: the signal comes 10 to 40 s after the start. A requeued job waits up to 45 s more.
cat > limit.yaml <<'YAML'
commands: {train: {ranks: 2, time: "00:01:00", signal_s: 20}}
YAML

# --- everything but the training, and as many steps of it as take a minute and a half here ---
"$mpirun" 2 "$bin/hepar" run long.yaml --out base > base.log 2>&1 || { cat base.log; fail "the base"; }
steps=$(tail -q -n 100 base/trials/*/out/metrics.jsonl | sed -n 's/.*"step_s":\([0-9.e-]*\).*/\1/p' |
  awk '{sum += $1} END {n = int(90 * NR / sum); print (n < 400 ? 400 : n)}')
echo "trainings of $steps steps"
sed -i "s/steps: 200}/steps: $steps}/; s/checkpoint_every: 100/checkpoint_every: $((steps / 8))/" long.yaml
begin() { # FOLDER SITE: the training alone is left to be done there
  out=$work/$1
  cp -a base "$1"
  submit long.yaml --out "$1" --site "$2" --accept-changes
  [ "$(trials)" = 1 ] || { cat submit.txt; fail "not one trial"; }
}
cp -a base whole
"$mpirun" 2 "$bin/hepar" run long.yaml --out whole --accept-changes > whole.log 2>&1 || { cat whole.log; fail "the whole run"; }
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

begin limit limit.yaml
queue_empty 900
same limit
[ "$(starts limit)" -ge 2 ] || fail "the time limit never struck"

begin signal site.yaml
until_step signal $((steps / 4))
scancel --signal=TERM "$(net_job)"
queue_empty 600
same signal
[ "$(starts signal)" = 2 ] || fail "one signal, one requeue"

# Everything that the node runs for the job dies, slurmd too; then the node comes back.
begin node site.yaml
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
# slurmctld looks for lost jobs when a node registers, and takes none for lost in its first 10 s (BatchStartTimeout).
sleep 12
scontrol reconfigure
queue_empty 600
same node
[ "$(starts node)" = 2 ] || fail "one failure, one requeue"
echo "node: killed at step $before"
echo "all well"
