#!/usr/bin/env bash
# launch/experiment.sh RANKS EXPERIMENT.yaml FOLDER [ARGUMENT...]: `hepar run` under mpirun, started again as long as a
# process died in a trial (that trial runs alone later, and has failed at its second death). SIGTERM and SIGUSR2 let
# the trainings save and stop; the exit code is then 75 and the same command continues.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ $# -lt 3 ] || [[ $3 == -* ]]; then
  sed -n '2,4s/^# //p' "$0" >&2
  exit 2
fi
ranks=$1
experiment=$2
out=$3
shift 3
# shellcheck source=launch/environment.sh
. "$root/launch/environment.sh"

flags=(--oversubscribe --bind-to none -n "$ranks")
if [ "$(id -u)" = 0 ]; then flags+=(--allow-run-as-root); fi
child=
stopping=no
# mpirun passes USR2 on to its ranks, but kills them a second after TERM.
forward() { stopping=yes; if [ -n "$child" ]; then kill -USR2 "$child" 2>/dev/null || true; fi; }
trap forward TERM USR2

while true; do
  rm -f "$out/outcome.json"
  mpirun "${flags[@]}" "$root/build/cpu/bin/hepar" run "$experiment" --out "$out" "$@" &
  child=$!
  code=0
  while kill -0 "$child" 2>/dev/null; do
    code=0
    wait "$child" || code=$?  # a signal ends the wait, not the child
  done
  if [ -e "$out/outcome.json" ]; then
    exit "$(sed -n 's/.*"exit_code": *\([0-9]*\).*/\1/p' "$out/outcome.json")"
  fi
  # Without an outcome and with a trial left running, a process died in it.
  if [ -z "$(ls "$out/state/running" 2>/dev/null)" ]; then exit "$code"; fi
  if [ "$stopping" = yes ]; then exit 75; fi
  echo "experiment: a process died; starting again" >&2
done
