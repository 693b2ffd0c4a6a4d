#!/usr/bin/env bash
# tests/slurm/cut_off_test.sh BIN MPIRUN [SECONDS]: of two nodes the one that trains loses its slurmd, and nothing else: Slurm
# gives it up and starts the job on the other node while the old ranks live. They are fenced and end, nothing is
# written twice, and the weights are those of a run never stopped. Then the slurmd comes back. The training takes
# about SECONDS (120) and must outlive the wait for the second start: half of that here.
set -euo pipefail
two_nodes=--two-nodes
silence_s=10
# shellcheck source=tests/slurm/support.sh
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"
# shellcheck source=tests/slurm/training.sh
. "$here/training.sh"
make_base "${3:-120}"

ranks_on() { # NODE: processes of the training there
  local folder
  for folder in $(grep -ls '^hepar-engine$' /proc/[0-9]*/comm); do
    folder=${folder%/comm}
    if grep -qsa "$work/cut" "$folder/cmdline" && grep -qsaz "^SLURMD_NODENAME=$1$" "$folder/environ"; then
      echo "${folder#/proc/}"
    fi
  done
}
# Where the test fails halfway, nobody else ends what lost its slurmd.
end_cut_off() {
  local folder
  for folder in $(grep -lsE '^(slurmstepd|hepar-engine)$' /proc/[0-9]*/comm); do
    folder=${folder%/comm}
    if grep -qsaz "^SLURM_CONF=$work/slurm/slurm.conf$" "$folder/environ"; then kill -KILL "${folder#/proc/}" || true; fi
  done
}
trap 'finish; end_cut_off' EXIT
within() { # SECONDS COMMAND...
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.5
  done
}
started_twice() { [ "$(starts cut)" -ge 2 ]; }
trains_on() { [ -n "$(ranks_on "$1")" ]; }
idle_on() { [ -z "$(ranks_on "$1")" ]; }

begin cut site.yaml
until_step cut $((steps / 6))
old=$(squeue -h -r -t running -o %N | head -1)
new=$([ "$old" = one ] && echo two || echo one)
kill -KILL "$(cat "$work/slurm/slurmd-$old.pid")"
echo "slurmd of node $old killed at step $(step_of cut)"
cut=$SECONDS
within 150 started_twice || fail "Slurm did not start the job again"
trains_on "$old" || fail "the old ranks are gone before their successor began: lengthen the training"
echo "$((SECONDS - cut)) s later the job starts on $new; the old ranks are at step $(step_of cut)"
within 60 trains_on "$new" || fail "no successor on $new"
began=$SECONDS
# Rank 0 is fenced at its next heartbeat; the others have nobody to end them but their watchdog (30 s).
within 90 idle_on "$old" || fail "the old ranks live on beside their successor"
echo "$((SECONDS - began)) s after their successor's start the old ranks are gone"
"$work/slurm/slurmd" "$old"
queue_empty 300
same cut
lines=$(grep -c '"loss"' "cut/trials/$net/out/metrics.jsonl")
[ "$lines" = "$steps" ] || fail "$lines metric lines of $steps steps: some were written twice"
for lease in "cut/trials/$net/lease" "cut/trials/$net/out/lease"; do
  grep -q '"released": false' "$lease/1.json" || fail "$lease: the first holder gave it back: it was not fenced"
done
grep -h 'requeued without this start' cut/slurm/logs/* || fail "the old batch script did not end by itself"
[ "$(sinfo -h -N -o '%t' | sort -u)" = idle ] || { sinfo -N; fail "the nodes are not idle"; }
echo "all well"
