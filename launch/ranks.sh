#!/usr/bin/env bash
# launch/ranks.sh RANKS|HOSTFILE COMMAND [ARGUMENT...]: `hepar COMMAND` on RANKS ranks of this machine, or on every slot of
# the hosts in HOSTFILE (docs/several-hosts.md). SIGTERM and SIGUSR2 let a training save and stop with 75; ends also
# when a host can no longer be reached.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ $# -lt 2 ] || [[ $1 == -* ]]; then
  sed -n '2,4s/^# //p' "$0" >&2
  exit 2
fi
# shellcheck source=launch/environment.sh
. "$root/launch/environment.sh"
# shellcheck source=launch/mpirun.sh
. "$root/launch/mpirun.sh"
ranks=$1
shift
run_ranks "$ranks" "$program" "$@"
