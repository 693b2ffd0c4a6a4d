#!/usr/bin/env bash
# tests/support/mpirun.sh RANKS PROGRAM [ARGUMENT...]: ranks on one machine, more of them than cores if need be.
set -euo pipefail
ranks=$1
shift
flags=(--oversubscribe --bind-to none)
[ "$(id -u)" = 0 ] && flags+=(--allow-run-as-root)
exec mpirun "${flags[@]}" --mca btl_vader_single_copy_mechanism none -n "$ranks" "$@"
