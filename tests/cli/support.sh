# shellcheck shell=bash
# Sourced by the tests beside it, which get the programs' folder and mpirun.sh as arguments: `hepar COMMAND …`,
# `on_ranks N COMMAND …`, a folder `work` that goes at the end, a small cohort, and checks that say what failed.
set -uo pipefail
programs=$1
mpirun=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/hepar-test-XXXXXX")
failed=0
started=()  # processes to end, whatever happens

finish() {
  local pid
  # shellcheck disable=SC2046
  for pid in "${started[@]}"; do kill -KILL $(children_of "$pid") "$pid" 2>/dev/null; done
  rm -rf "$work"
}
trap finish EXIT

hepar() { timeout 400 "$programs/hepar" "$@"; }

on_ranks() {
  local ranks=$1
  shift
  timeout 400 "$mpirun" "$ranks" "$programs/hepar" "$@"
}

# check NAME COMMAND...: the command succeeds.
check() {
  local name=$1
  shift
  if "$@" >"$work/check.log" 2>&1; then
    echo "ok $name"
  else
    echo "FAILED $name: $*"
    tail -n 20 "$work/check.log"
    failed=1
  fi
}

# equal NAME WANTED FOUND
equal() {
  if [ -n "$2" ] && [ "$2" = "$3" ]; then
    echo "ok $1: $3"
  else
    echo "FAILED $1: wanted '$2', found '$3'"
    failed=1
  fi
}

# expect NAME CODE TEXT COMMAND...: exit CODE, with TEXT (where it is not empty) in exactly one line of the output.
expect() {
  local name=$1 code=$2 text=$3 output found count
  shift 3
  output=$("$@" 2>&1)
  found=$?
  count=$(grep -cF -- "$text" <<<"$output")
  if [ "$found" != "$code" ] || { [ -n "$text" ] && [ "$count" != 1 ]; }; then
    echo "FAILED $name: wanted exit $code and '$text' once, found exit $found and $count times"
    echo "$output" | tail -n 20
    failed=1
  else
    echo "ok $name"
  fi
}

# until_true SECONDS COMMAND...: polls until the command succeeds.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@" 2>/dev/null; do
    [ $SECONDS -ge "$end" ] && return 1
    sleep 0.01
  done
}

# Processes whose parent is PID.
children_of() { grep -lE "^[0-9]+ \(.*\) [A-Za-z] $1 " /proc/[0-9]*/stat 2>/dev/null | cut -d/ -f3; }

# json_value FILE KEY: the value of a key that stands on a line of its own.
json_value() { sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$1"; }

# In $work: files (LiQA layout; the truth of every case in files/truth), cohort (four cases to train, two to
# validate), plan.yaml (a network of a few thousand weights) and prepared.
make_cohort() {
  local none='[0,0,0,0]'
  hepar phantom --preset tiny --sequences GED4 --set presets.tiny.A='[4,2,0,4]' --set presets.tiny.B1=$none \
    --set presets.tiny.B2=$none --set presets.tiny.C=$none --out "$work/files" &&
    hepar convert --source liqa --in "$work/files" --labels "$work/files/labels.csv" --out "$work/cohort" &&
    hepar plan --data "$work/cohort" --set select.sequence=GED4 --target-spacing 12,10,10 --patch 8,16,16 \
      --base-features 4 --max-features 8 --batch 4 --out "$work/plan.yaml" &&
    hepar prepare --data "$work/cohort" --plan "$work/plan.yaml" --split train --label manual \
      --out "$work/prepared"
} >"$work/cohort.log" 2>&1

need_cohort() {
  if ! make_cohort; then
    echo "FAILED making the cohort"
    cat "$work/cohort.log"
    exit 1
  fi
}
