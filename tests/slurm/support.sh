# tests/slurm/support.sh, sourced by the tests beside it with BIN MPIRUN: a folder to work in, a Slurm of one node that
# ends with the script, and what the tests have in common. Exit 77 (skipped) without root or Slurm.
# HEPAR_KEEP=1 keeps the folder. `two_nodes` (--two-nodes) and `silence_s` (after which a node is lost) may be set before.
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
# shellcheck disable=SC2086,SC2154
"$here/start.sh" ${two_nodes:-} "$work/slurm" SlurmdTimeout=${silence_s:-60}
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
