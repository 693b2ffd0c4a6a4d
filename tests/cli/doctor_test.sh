#!/usr/bin/env bash
# doctor_test.sh PROGRAMS MPIRUN: `hepar doctor` on this machine, and, with root, on two hosts that are this machine
# under another name with another file system in the folder (namespaces).
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"
folder=$work/folder
mkdir "$folder"

expect "one rank" 0 "shared files  ok" hepar doctor --folder "$folder"
expect "two ranks" 0 "2 ranks, as announced" on_ranks 2 doctor --folder "$folder"
on_ranks 2 doctor --folder "$folder" --json >"$work/doctor.json"
check "all-reduce was timed" grep -q '"bytes": 1024,' "$work/doctor.json"
check "nothing is left in the folder" test -z "$(ls -A "$folder")"
expect "no folder" 3 "$work/nothing: no such folder" on_ranks 2 doctor --folder "$work/nothing"
expect "a folder that is not writable" 3 "/proc: cannot be written to" hepar doctor --folder /proc
expect "more ranks than processors" 1 "ranks share processors" \
  taskset -c "$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')" "$mpirun" 2 "$programs/hepar" doctor --folder "$folder"
expect "singletons that mpirun started" 4 "started 2 ranks but MPI sees 1" \
  env OMPI_COMM_WORLD_SIZE=2 "$programs/hepar" doctor
expect "singletons that srun started" 4 "it started 3, MPI sees 1" \
  env SLURM_STEP_NUM_TASKS=3 "$programs/hepar" doctor --folder "$folder"

# --- Another host: its own name, and its own file system in the folder ------------------------------
cat >"$work/host.sh" <<'SH'
#!/usr/bin/env bash
# host.sh NAMESPACES COMMAND...: the second rank runs the command in namespaces of its own.
if [ "${OMPI_COMM_WORLD_RANK:-0}" = 0 ]; then shift; exec "$@"; fi
# shellcheck disable=SC2016
exec unshare $1 bash -c 'hostname elsewhere; case $0 in *mount*) mount -t tmpfs none "$1" ;; esac; shift; exec "$@"' \
  "$1" "$HEPAR_FOLDER" "${@:2}"
SH
chmod +x "$work/host.sh"
export HEPAR_FOLDER=$folder
if ! unshare --uts --mount bash -c "hostname elsewhere && mount -t tmpfs none '$folder'" 2>/dev/null; then
  echo "SKIPPED two hosts: namespaces want root"
  exit $failed
fi
elsewhere() { timeout 100 "$mpirun" 2 "$work/host.sh" "$@"; }
expect "two hosts" 0 "2 hosts with 1 rank each: " elsewhere --uts "$programs/hepar" doctor --folder "$folder"
expect "their clocks" 0 " apart (elsewhere, known to " elsewhere --uts "$programs/hepar" doctor --folder "$folder"
expect "a folder that is not shared" 3 "what rank 0 wrote was not seen by rank 1 on elsewhere (waited 1 s)" \
  elsewhere "--uts --mount" "$programs/hepar" doctor --folder "$folder" --wait-s 1
exit $failed
