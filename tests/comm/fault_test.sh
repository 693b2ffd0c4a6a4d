#!/usr/bin/env bash
# fault_test.sh MPIRUN PROGRAM: however ranks fail, the job ends soon, with the right code and one message.
set -uo pipefail
mpirun=$1
program=$2
failed=0

# expect NAME CODE TEXT COMMAND...: ends within 5 s with CODE; TEXT stands in the output exactly once.
expect() {
  local name=$1 code=$2 text=$3 output found count
  shift 3
  output=$(timeout 5 "$@" 2>&1)
  found=$?
  count=$(grep -cF -- "$text" <<<"$output")
  if [ "$found" != "$code" ] || { [ -n "$text" ] && [ "$count" != 1 ]; }; then
    echo "FAILED $name: wanted exit $code and the message once, found exit $found and $count times"
    echo "$output"
    failed=1
  else
    echo "ok $name"
  fi
}

expect "no fault" 0 "" "$mpirun" 2 "$program"
for ranks in 2 4; do
  expect "one of $ranks ranks throws" 3 "the second rank cannot go on" "$mpirun" $ranks "$program" one
  expect "all of $ranks ranks throw" 2 "every rank sees the same mistake" "$mpirun" $ranks "$program" all
  expect "$ranks ranks agree" 3 "the second rank has a problem" "$mpirun" $ranks "$program" agreed
  expect "$ranks ranks agree with a reduction under way" 3 "the second rank has a problem" \
    "$mpirun" $ranks "$program" pending
  expect "a thread of $ranks ranks calls" 4 "was not made by the main thread" \
    "$mpirun" $ranks "$program" thread
done
expect "alone" 2 "every rank sees the same mistake" "$program" all
expect "silent singleton under mpirun" 4 "started 2 ranks but MPI sees 1" \
  env OMPI_COMM_WORLD_SIZE=2 "$program"
expect "silent singleton in a Slurm step" 4 "started 3 ranks but MPI sees 1" \
  env PMI_RANK=0 SLURM_STEP_NUM_TASKS=3 "$program"
expect "one task of a larger Slurm job without PMI" 0 "" env SLURM_STEP_NUM_TASKS=3 "$program"

# --- Under a watchdog of 0.6 s -------------------------------------------------------------------
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
records=$work/out/.ranks/1
last="rank 1 on $(hostname)"
expect "a rank is stopped" 4 " or more from $last " "$mpirun" 2 "$program" stopped "$records"
expect "a rank is late" 4 "longer than the deadline, for $last at work (saving)" "$mpirun" 2 "$program" late "$records"
expect "ranks wait for messages that nobody sends" 4 "no answer from $last in call 0: receive" \
  "$mpirun" 2 "$program" dead-lock "$records"
expect "a rank works" 0 "it goes on waiting for $last at work (saving)" "$mpirun" 2 "$program" slow "$records"
if [ -e "$records" ]; then
  echo "FAILED the records of ranks that ended well are still there"
  failed=1
fi
expect "records that cannot be written" 0 "/proc/nothing/0.json: cannot be written" "$mpirun" 2 "$program" slow /proc/nothing
exit $failed
