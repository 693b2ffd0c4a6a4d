#!/usr/bin/env bash
# tests/pipeline/trials_scale_test.sh BIN MPIRUN: many small trials in one allocation. 200 of about 2 s on two groups of
# one rank: what the runner costs and whether both are busy; the job killed half-way and started again: every trial
# once; a trial that segfaults and one that wants more memory than there is fail, the rest is done; the status of 2,000.
set -euo pipefail
bin=$1
mpirun=$2
work=$(mktemp -d)
pids=()
finish() {
  # shellcheck disable=SC2046
  for pid in "${pids[@]}"; do kill -KILL $(children_of "$pid") "$pid" 2>/dev/null || true; done
  if [ -n "${HEPAR_KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap finish EXIT
cd "$work"
fail() { echo "FAILED: $*" >&2; exit 1; }
children_of() { grep -lE "^[0-9]+ \(.*\) [A-Za-z] $1 " /proc/[0-9]*/stat 2>/dev/null | cut -d/ -f3 || true; }
now() { date +%s.%N; }
calc() { awk "BEGIN {print $*}"; }
holds() { awk "BEGIN {exit !($*)}" || fail "wanted: $*"; }
run() { "$mpirun" 2 "$bin/hepar" run "$@" --ranks-per-trial 1; }
# The same in the background: the process named is mpirun, its children are the ranks.
start() {
  local log=$1
  shift
  "$mpirun" 2 "$bin/hepar" run "$@" --ranks-per-trial 1 > "$log" 2>&1 &
  pids+=($!)
}
ids() { "$bin/hepar" status "$1" --json | awk -F'"' -v stage="$2" '/": \{/ {id = $2} $4 == stage {print id}'; }
number() { sed -n "s/^ *\"$2\": \([0-9.e-]*\),*$/\1/p" "$1"; }  # FILE KEY
count() { ls "$1" | wc -l; }

# experiment NAME TRIALS STEPS: trainings of a few thousand weights.
experiment() {
  cat <<YAML
name: $1
axes: {seed: [$(seq -s, 0 $(($2 - 1)))]}
stages:
  files: {command: phantom, preset: tiny, sequences: GED4}
  cohort: {command: convert, source: liqa, in: "\${files}", labels: "\${files}/labels.csv", masks: "\${files}/masks"}
  plan: {command: plan, data: "\${cohort}", target_spacing: [10, 8, 8], patch: [16, 16, 16], base_features: 4, max_features: 8, batch: 2}
  set: {command: prepare, data: "\${cohort}", plan: "\${plan}", split: train, label: manual}
  net: {command: train, seed: "\${seed}", data: {path: "\${set}"}, train: {steps: $3, checkpoint_every: 100000, log_every: 100}, run: {threads: 1}}
YAML
}

# Steps of two seconds, two trainings side by side.
experiment probe 2 400 > probe.yaml
run probe.yaml --out probe > probe.log 2>&1 || { cat probe.log; fail "the probe"; }
mapfile -t nets < <(ids probe net)
probe_s=$(number "probe/trials/${nets[1]}/outcome.json" wall_s)
steps=$(calc "int(400 * 2 / $probe_s + 1)")
echo "400 steps take $probe_s s: $steps steps a trial"
# set_up EXP: what its trainings read is done already.
below=$(for stage in files cohort plan set; do ids probe $stage; done | paste -sd,)
set_up() { "$bin/hepar" run "$1.yaml" --out "$1" --trials "$below" > "$1-below.log" 2>&1 || { cat "$1-below.log"; fail "what $1 reads"; }; }

# --- what the runner costs ---
experiment scale 200 "$steps" > scale.yaml
set_up scale
begin=$(now)
run scale.yaml --out scale > scale.log 2>&1 || { tail -20 scale.log; fail "200 trials"; }
wall=$(calc "$(now) - $begin")
[ "$(count scale/state/done)" = 204 ] || fail "not all are done"
busy=$(for id in $(ids scale net); do number "scale/trials/$id/outcome.json" wall_s; done | awk '{s += $1} END {print s}')
overhead=$(calc "(2 * $wall - $busy) / 200")
echo "200 trials of $(calc "$busy / 200") s in $wall s: overhead $overhead s a trial, busy $(calc "100 * $busy / (2 * $wall)") %"
for group in 0 1; do
  share=$(grep "\[group $group\] done net" scale.log | sed 's/.* in \([0-9.]*\) s$/\1/' | awk -v w="$wall" '{s += $1} END {print 100 * s / w}')
  echo "group $group: $(grep -c "\[group $group\] done net" scale.log) trials, busy $share %"
  holds "$share >= 90"
done
holds "$overhead <= 0.2"

# --- killed half-way ---
experiment killed 200 $((steps / 3 + 1)) > killed.yaml
set_up killed
start killed-1.log killed.yaml --out killed
until [ -e killed/trials.json ] && [ "$(count killed/state/running)" = 2 ]; do sleep 0.05; done
ranks=$(children_of "${pids[-1]}")
[ "$(wc -w <<< "$ranks")" = 2 ] || fail "which are the ranks? $ranks"
for _ in $(seq 6000); do
  if [ "$(count killed/state/done)" -ge 104 ] && [ "$(count killed/state/running)" = 2 ]; then break; fi
  sleep 0.05
done
# shellcheck disable=SC2086
kill -KILL $ranks "${pids[-1]}"
wait "${pids[-1]}" 2>/dev/null || true
before=$(ls killed/state/done)
cut_off=$(ls killed/state/running)
[ -n "$cut_off" ] && [ "$(wc -w <<< "$before")" -lt 204 ] || fail "killed too early or too late: $cut_off"
stamps() { for id in $before; do stat -c '%n %i %Y' "killed/trials/$id/outcome.json"; done; }
stamps > stamps-1
run killed.yaml --out killed > killed-2.log 2>&1 || { tail -20 killed-2.log; fail "the run after the kill"; }
stamps | diff stamps-1 - || fail "a trial that was done ran again"
[ "$(count killed/state/done)" = 204 ] || fail "not all are done after the kill"
[ "$(cat killed-[12].log | grep ' done net' | sed 's/.*, \([0-9a-f]*\) in .*/\1/' | sort | uniq -d | wc -l)" = 0 ] || fail "a trial was done twice"
[ "$(sort <<< "$cut_off")" = "$(cd killed/trials && ls -d ./*/deaths | cut -d/ -f2 | sort)" ] || fail "deaths of other trials than those that ran"
echo "killed after $(wc -w <<< "$before") of 204: each done once, $(wc -w <<< "$cut_off") ran again"

# --- a trial that segfaults, one that wants too much memory ---
experiment trouble 10 "$steps" > trouble.yaml
cat >> trouble.yaml <<'YAML'
  huge_plan: {command: plan, data: "${cohort}", target_spacing: [10, 8, 8], patch: [16, 16, 16], base_features: 4096, max_features: 4096, batch: 2}
  huge_set: {command: prepare, data: "${cohort}", plan: "${huge_plan}", split: train, label: manual}
  huge: {command: train, data: {path: "${huge_set}"}, train: {steps: 1}, run: {threads: 1}}
YAML
set_up trouble
mapfile -t nets < <(ids trouble net)
victim=${nets[5]}
# As launch/experiment.sh does: again as long as a process died in a trial.
until_the_end() {
  ulimit -v 2500000
  while [ ! -e trouble/outcome.json ]; do
    run trouble.yaml --out trouble || true
  done
}
until_the_end > trouble.log 2>&1 &
pids+=($!)
for _ in $(seq 6000); do
  if [ -e trouble/outcome.json ]; then break; fi
  if [ -e "trouble/state/running/$victim" ]; then
    lease=$(ls -v "trouble/trials/$victim/lease" | tail -1)
    pid=$(number "trouble/trials/$victim/lease/$lease" pid)
    if [ -n "$pid" ]; then kill -SEGV "$pid" 2>/dev/null || true; sleep 2; fi
  fi
  sleep 0.05
done
wait "${pids[-1]}" || true
huge=$(ids trouble huge)
[ -e "trouble/state/failed/$victim" ] || { tail -40 trouble.log; fail "the trial that segfaulted twice has not failed"; }
grep -q "died twice" "trouble/trials/$victim/outcome.json" || fail "its outcome does not say so"
[ -e "trouble/state/failed/$huge" ] || fail "the trial that wanted too much memory has not failed"
number "trouble/trials/$huge/outcome.json" exit_code | grep -q 1 || fail "its exit code"
[ "$(count trouble/state/failed)" = 2 ] && [ "$(count trouble/state/done)" = 15 ] || fail "others: $(cd trouble/state && find . -type f)"
echo "out of memory: $(sed -n 's/^ *"message": "\(.\{100\}\).*/\1/p' "trouble/trials/$huge/outcome.json")"

# --- the status of 2,000 trials ---
experiment large 2000 "$steps" > large.yaml
set_up large
mapfile -t nets < <(ids large net)
"$bin/hepar" run large.yaml --out large --trials "${nets[0]}" > large.log 2>&1 || { cat large.log; fail "one of 2,000"; }
(cd large/trials && mkdir "${nets[@]:1}")
for id in "${nets[@]:1:1508}"; do cp "large/trials/${nets[0]}/outcome.json" "large/trials/$id/"; done
(cd large/state/done && touch "${nets[@]:1:1500}")
(cd large/state/failed && touch "${nets[@]:1501:8}")
(cd large/state/running && touch "${nets[@]:1509:2}")
(cd large/state/planned && touch "${nets[@]:1511}")
best=1000000
for _ in 1 2 3; do
  begin=$(now)
  "$bin/hepar" status large > status.txt
  best=$(awk "BEGIN {t = $(now) - $begin; print (t < $best ? t : $best)}")
done
grep -qE '^net +train +2000 +1501 +2 ' status.txt || { cat status.txt; fail "the table"; }
echo "status of 2,004 trials: $best s"
holds "$best < 1"
echo "all well"
