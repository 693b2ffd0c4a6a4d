#!/usr/bin/env bash
# tests/pipeline/experiment_run_test.sh BIN MPIRUN: `hepar run` on 1, 2 and 4 ranks, with real commands on a tiny
# phantom: the same trials and outputs whatever the ranks; nothing done twice; a failed trial alone; a killed
# runner continued; a stop signal obeyed.
set -euo pipefail
bin=$1
mpirun=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }
run() { "$mpirun" "$1" "$bin/hepar" run "${@:2}"; }
states() { (cd "$1/state" && find . -type f | sort); }
hashes() { grep -h '"output_hash"' "$1"/trials/*/outcome.json | sort; }

# --- the experiments that come with hepar are well-formed; rows that are compared have equal steps ---
configs=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../configs" && pwd)
mkdir data
for file in quick/liseg quick/table2 quick/confound sweep/learning_rate; do
  "$bin/hepar" run "$configs/$file.yaml" --dry-run > dry.txt 2>&1 || { cat dry.txt; fail "$file.yaml"; }
done
for file in liqa/liseg liqa/table2 liqa/table2_paper; do
  "$bin/hepar" run "$configs/$file.yaml" --dry-run --set values.liqa=data --set values.chaos=data \
    --set values.amos=data --set values.atlas=data > dry.txt 2>&1 || { cat dry.txt; fail "$file.yaml"; }
done
steps() { sed -n "s/^  $1_steps: *\([0-9]*\).*/\1/p" "$configs/quick/liseg.yaml"; }
[ "$(($(steps pretrain) + $(steps finetune)))" = "$(steps scratch)" ] || fail "quick/liseg.yaml: unequal steps"

cat > tiny.yaml <<'YAML'
name: tiny
axes: {preset: [plain, resenc_m]}
stages:
  files: {command: phantom, preset: tiny, sequences: GED4}
  cohort: {command: convert, source: liqa, in: "${files}", labels: "${files}/labels.csv", masks: "${files}/masks"}
  plan:
    command: plan
    data: "${cohort}"
    preset: "${preset}"
    target_spacing: [10, 8, 8]
    patch: [16, 16, 16]
    base_features: 4
    max_features: 8
    batch: 2
  set: {command: prepare, data: "${cohort}", plan: "${plan}", split: train, label: manual}
YAML

# --- the same on any number of ranks and groups ---
run 1 tiny.yaml --out one > one.log 2>&1 || { cat one.log; fail "one rank"; }
[ "$(states one | grep -c done)" = 6 ] || fail "six trials: $(states one)"
run 2 tiny.yaml --out two > two.log 2>&1 || { cat two.log; fail "two ranks"; }
run 4 tiny.yaml --out four --ranks-per-trial 1 > four.log 2>&1 || { cat four.log; fail "four groups"; }
! grep -q "waiting 3 beats" four.log || { cat four.log; fail "groups wait for each other's leases"; }
diff <(states one) <(states two) || fail "other trials on two ranks"
diff <(states one) <(states four) || fail "other trials in four groups"
for exp in two four; do
  for shards in one/trials/*/out/manifest.json; do
    diff <(sed '/tool_version/d' "$shards") <(sed '/tool_version/d' "$exp/${shards#one/}") || fail "$exp: another cohort"
  done
done
plan=$(dirname "$(find one/trials -name plan.yaml -not -path '*/out/*' | sort | head -1)")
[ -s "$plan/config.yaml" ] && [ -s "$plan/log.txt" ] || fail "a trial explains itself"
grep -q '^hepar plan --config ' "$plan/command.txt" || fail "the exact command: $(cat "$plan/command.txt")"
grep -q '"core_hours"' "$plan/outcome.json" || fail "no cost"

# --- nothing is done twice; a deleted trial, and it alone, is ---
run 2 tiny.yaml --out two > again.log 2>&1
! grep -q ' run  ' again.log || fail "something ran again"
rm -r "two/trials/$(basename "$plan")"
run 2 tiny.yaml --out two > again.log 2>&1
[ "$(grep -c ' run  ' again.log)" = 1 ] || { cat again.log; fail "one trial should run again"; }

# --- what was written is compared before it is used ---
cohort=$(dirname "$(dirname "$(find two/trials -path '*/out/manifest.json')")")
echo " " >> "$cohort/out/manifest.json"
rc=0
run 2 tiny.yaml --out two --set 'axes.preset=[plain,resenc_m,resenc_l]' > changed.log 2>&1 || rc=$?
[ "$rc" = 1 ] && grep -q "has changed since it was done" changed.log || { cat changed.log; fail "a changed output was used"; }

# --- config drift ---
rc=0
run 1 tiny.yaml --out one --set stages.plan.batch=4 > drift.log 2>&1 || rc=$?
[ "$rc" = 2 ] && grep -q 'stage plan (preset=plain): batch: "2" -> "4"' drift.log || { cat drift.log; fail "drift"; }

# --- an error stays in its trial; the rest goes on; dependants are blocked ---
sed -e 's/preset: \[plain, resenc_m\]/sequence: [GED4, T9]/' -e 's/preset: "${preset}"/select: {sequence: "${sequence}"}/' \
  tiny.yaml > failing.yaml
rc=0
run 2 failing.yaml --out failing --ranks-per-trial 1 > failing.log 2>&1 || rc=$?
[ "$rc" = 1 ] || { cat failing.log; fail "exit code $rc"; }
[ "$(states failing | grep -c done)" = 4 ] && [ "$(states failing | grep -c failed)" = 1 ] &&
  [ "$(states failing | grep -c planned)" = 1 ] || fail "states: $(states failing)"
"$bin/hepar" status failing | grep -q "failed: plan (sequence=T9)" || fail "status does not name it"
"$bin/hepar" status failing | grep -q "blocks 1 trial" || fail "status does not say what is blocked"

# --- --dry-run lists and writes nothing ---
"$bin/hepar" run tiny.yaml --out dry --dry-run > dry.log 2>&1
[ ! -e dry ] && grep -q 'data=${cohort}' dry.log || { cat dry.log; fail "dry run"; }

# --- a killed runner: suspect, alone, then failed at a second death ---
cat > long.yaml <<'YAML'
name: long
stages:
  files: {command: phantom, preset: tiny, seed: 3}
  small: {command: phantom, preset: tiny, sequences: GED4, seed: 4}
YAML
first=
killed() {
  "$bin/hepar" run long.yaml --out long > kill.log 2>&1 &
  local pid=$!
  for _ in $(seq 400); do
    # What an earlier death left in running/ is suspect as soon as the new run has looked, and said so.
    if [ -n "$(ls long/state/running 2>/dev/null)" ] && { [ -z "$first" ] || grep -q "it runs again alone" kill.log; }; then break; fi
    sleep 0.02
  done
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null || true
}
killed
first=$(ls long/state/running)
[ -n "$first" ] || fail "nothing was running when it was killed"
killed
[ "$(cat "long/trials/$first/deaths")" = 1 ] || fail "the death was not counted"
"$bin/hepar" run long.yaml --out long > long.log 2>&1 || true
[ "$(states long | grep -c running)" = 0 ] || fail "left running: $(states long)"
grep -q "it runs again alone" kill.log || fail "nobody was suspect"

# --- a stop signal ends a training at a checkpoint with 75, and the same command continues it ---
cat > stop.yaml <<'YAML'
name: stop
stages:
  files: {command: phantom, preset: tiny, sequences: GED4}
  cohort: {command: convert, source: liqa, in: "${files}", labels: "${files}/labels.csv", masks: "${files}/masks"}
  plan: {command: plan, data: "${cohort}", target_spacing: [10, 8, 8], patch: [16, 16, 16], base_features: 4, max_features: 8, batch: 2}
  set: {command: prepare, data: "${cohort}", plan: "${plan}", split: train, label: manual}
  net: {command: train, data: {path: "${set}"}, train: {steps: 60, checkpoint_every: 1000, log_every: 1}, run: {threads: 1}}
YAML
"$bin/hepar" run stop.yaml --out whole > whole.log 2>&1 || { cat whole.log; fail "the whole run"; }
# signalled SIGNAL OUT CODE [COMMAND…]: COMMAND, then the signal, in the third step or a little later; the run must end with
# CODE.
signalled() {
  local out=$2 code=$3 pid rc=0
  "$bin/hepar" run stop.yaml --out "$out" > "$out.log" 2>&1 &
  pid=$!
  for _ in $(seq 1500); do
    if cat "$out"/trials/*/out/metrics.jsonl 2>/dev/null | grep -q '"step":3,'; then break; fi
    sleep 0.02
  done
  "${@:4}"
  kill "-$1" "$pid"
  wait "$pid" || rc=$?
  # What a trial says last stands in its own log.
  [ "$rc" = "$code" ] || { cat "$out.log"; tail -n 50 "$out"/trials/*/log.txt; fail "SIG$1 should end with $code, not $rc"; }
}
signalled TERM stopped 75
"$bin/hepar" run stop.yaml --out stopped > stop2.log 2>&1 || { cat stop2.log; fail "the continued run"; }
weights() { cat "$1"/trials/*/out/outcome.json | grep weights_xxh64; }
[ "$(weights whole)" = "$(weights stopped)" ] || fail "weights differ from an uninterrupted run"
[ "$(grep -c ' run  ' stop2.log)" = 1 ] || { cat stop2.log; fail "more than the training ran again"; }
# Where the stop file cannot be written: the training is saved all the same, then the run says what is wrong.
signalled USR2 deaf 3 mkdir -p deaf/stop/in_the_way
grep -q "deaf/stop: renaming" deaf.log || { cat deaf.log; fail "no word of the stop file"; }
ls deaf/trials/*/out/checkpoints/latest > /dev/null || fail "the training was not saved"
echo "all well"
