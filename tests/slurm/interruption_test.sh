#!/usr/bin/env bash
# tests/slurm/interruption_test.sh BIN MPIRUN: trainings in Slurm that meet a time limit, a signal, and the death of the
# node's daemons and ranks, are requeued and end with the weights of a run never stopped.
set -euo pipefail
# shellcheck source=tests/slurm/support.sh
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

# Slurm looks every 30 s: the signal comes 10 to 40 s after the start. A requeued job waits up to 45 s more.
cat > limit.yaml <<'YAML'
commands: {train: {ranks: 2, time: "00:01:00", signal_s: 20}}
YAML

# shellcheck source=tests/slurm/training.sh
. "$here/training.sh"
make_base 90

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
kill -KILL "$(cat "$work/slurm/slurmd-$(hostname -s).pid")" $daemons $victims 2>/dev/null || true
before=$(step_of node)
sleep 2
"$work/slurm/slurmd" "$(hostname -s)"
# slurmctld looks for lost jobs when a node registers, and takes none for lost in its first 10 s (BatchStartTimeout).
sleep 12
scontrol reconfigure
queue_empty 600
same node
[ "$(starts node)" = 2 ] || fail "one failure, one requeue"
echo "node: killed at step $before"
echo "all well"
