#!/usr/bin/env bash
# launch/experiment.sh RANKS|HOSTFILE EXPERIMENT.yaml FOLDER [ARGUMENT...]: `hepar run` under mpirun, on this machine or on
# the hosts of a file (docs/several-hosts.md), started again as long as a process died in a trial (that trial runs alone
# later, and has failed at its second death). SIGTERM and SIGUSR2 let the trainings save and stop; the exit code is then
# 75 and the same command continues. 4: a host cannot be reached; it is not started again by itself.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ $# -lt 3 ] || [[ $3 == -* ]]; then
  sed -n '2,5s/^# //p' "$0" >&2
  exit 2
fi
ranks=$1
experiment=$2
out=$3
shift 3
# shellcheck source=launch/environment.sh
. "$root/launch/environment.sh"
# shellcheck source=launch/mpirun.sh
. "$root/launch/mpirun.sh"

while true; do
  rm -f "$out/outcome.json"
  code=0
  run_ranks "$ranks" "$program" run "$experiment" --out "$out" "$@" || code=$?
  if [ -e "$out/outcome.json" ]; then
    exit "$(sed -n 's/.*"exit_code": *\([0-9]*\).*/\1/p' "$out/outcome.json")"
  fi
  # Without an outcome and with a trial left running, a process died in it.
  if [ -z "$(ls "$out/state/running" 2>/dev/null)" ]; then exit "$code"; fi
  if [ "$code" = 4 ]; then exit 4; fi
  if [ "$stopping" = yes ]; then exit 75; fi
  echo "experiment: a process died; starting again" >&2
done
