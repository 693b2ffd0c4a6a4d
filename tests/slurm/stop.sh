#!/usr/bin/env bash
# tests/slurm/stop.sh FOLDER: ends what tests/slurm/start.sh FOLDER started, and nothing else.
set -uo pipefail
folder=$(cd "$1" && pwd) || exit 0
export SLURM_CONF=$folder/slurm.conf
# Jobs first: the daemons' end does not end them.
timeout 10 scancel --quiet --user="$(id -un)" 2>/dev/null
for _ in $(seq 50); do
  [ -z "$(timeout 5 squeue -h 2>/dev/null)" ] && break
  sleep 0.2
done
for file in "$folder"/slurmd-*.pid "$folder/slurmctld.pid" "$folder/munged.pid"; do
  pid=$(cat "$file" 2>/dev/null) || continue
  kill "$pid" 2>/dev/null
  for _ in $(seq 50); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null
done
exit 0
