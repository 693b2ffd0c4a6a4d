# Sourced by the scripts beside it: `run_ranks RANKS|HOSTFILE PROGRAM [ARGUMENT...]` runs PROGRAM under mpirun, on RANKS
# ranks of this machine or on every slot of the hosts in HOSTFILE (lines "node1 slots=4"; start it on one of them).
# Its code is mpirun's. SIGTERM and SIGUSR2 reach the ranks as USR2 and set `stopping`.
stopping=no
mpirun_pid=

# mpirun passes USR2 on to its ranks, but kills them a second after TERM.
forward_stop() {
  stopping=yes
  if [ -n "$mpirun_pid" ]; then kill -USR2 "$mpirun_pid" 2>/dev/null || true; fi
}

# Whether mpirun has ranks of hepar on this host.
has_ranks() { grep -qsE "^[0-9]+ \(hepar[^)]*\) [A-Z] $mpirun_pid " /proc/[0-9]*/stat; }

# When the ranks have ended, mpirun waits for its daemons on other hosts, and for those that it cannot reach as long as
# TCP repeats a message: a quarter of an hour. After 10 s it is ended.
end_stuck_mpirun() {
  local seen=no alone=0
  while kill -0 "$mpirun_pid" 2>/dev/null; do
    if has_ranks; then
      seen=yes alone=0
    elif [ "$seen" = yes ] && [ $((alone += 1)) -gt 10 ]; then
      echo "mpirun: the ranks have ended, a host cannot be reached; not waited for any longer" >&2
      kill -KILL "$mpirun_pid" 2>/dev/null
      return
    fi
    sleep 1
  done
}

run_ranks() {
  local where=$1 flags=(--bind-to none) code=0 watcher
  shift
  if [ -f "$where" ]; then
    flags+=(--hostfile "$where" --map-by slot)  # ranks of a host in a row: `tree` adds them up first
  else
    flags+=(--oversubscribe -n "$where")
  fi
  if [ "$(id -u)" = 0 ]; then flags+=(--allow-run-as-root); fi
  trap forward_stop TERM USR2
  mpirun "${flags[@]}" "$@" &
  mpirun_pid=$!
  end_stuck_mpirun &
  watcher=$!
  while kill -0 "$mpirun_pid" 2>/dev/null; do
    code=0
    wait "$mpirun_pid" || code=$?  # a signal ends the wait, not the child
  done
  mpirun_pid=
  kill "$watcher" 2>/dev/null || true
  wait "$watcher" 2>/dev/null || true
  if [ "$code" = 137 ]; then code=4; fi  # ended above: communication failed
  return "$code"
}
