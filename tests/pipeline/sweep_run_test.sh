#!/usr/bin/env bash
# tests/pipeline/sweep_run_test.sh BIN MPIRUN: `hepar run` of a sweep with ASHA, with real trainings of 8 configurations:
# decisions as computed by hand from the losses; the same on 1 and 2 ranks, in 1 and 2 groups, and after kills, with
# nothing done twice; a training continued over the rungs has the weights of one that never stopped; what was stopped
# goes on from its checkpoint under another rule.
set -euo pipefail
bin=$1
mpirun=$2
configs=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../configs" && pwd)
work=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill -KILL "$pid" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }
run() { "$mpirun" "$1" "$bin/hepar" run "${@:2}"; }
count() { grep -c "$@" || true; }

cat > sweep.yaml <<'YAML'
name: sweep
axes:
  net.optimizer.lr: [0.0003, 0.001, 0.003, 0.01]
  net.optimizer.name: [adam, sgd]
sweep:
  metric: {stage: net, key: loss, goal: min}
  asha: {stage: net, rungs: [4, 8, 16], eta: 2}
stages:
  files: {command: phantom, preset: tiny, sequences: GED4}
  cohort: {command: convert, source: liqa, in: "${files}", labels: "${files}/labels.csv", masks: "${files}/masks"}
  plan: {command: plan, data: "${cohort}", target_spacing: [10, 8, 8], patch: [16, 16, 16], base_features: 4, max_features: 8, batch: 2}
  set: {command: prepare, data: "${cohort}", plan: "${plan}", split: train, label: manual}
  net: {command: train, data: {path: "${set}"}, train: {steps: 16, checkpoint_every: 1000}, run: {threads: 1}}
YAML
for file in asha random; do
  "$bin/hepar" run "$configs/sweep/$file.yaml" --dry-run > dry.txt 2>&1 || { cat dry.txt; fail "$file.yaml"; }
done

# --- one rank: 8 trainings of 4 steps, 4 of 8, 2 of 16; decisions are those of the losses ---
run 1 sweep.yaml --out one > one.log 2>&1 || { cat one.log; fail "one rank"; }
[ "$(count ' run  net' < one.log)" = 14 ] || { cat one.log; fail "not 14 trainings"; }
[ "$(wc -l < one/decisions.jsonl)" = 13 ] || { cat one/decisions.jsonl; fail "not 1 + 8 + 4 lines"; }
loss() { tail -n 1 "one/trials/$1/out/metrics.jsonl" | sed 's/.*"loss":\([0-9.e+-]*\),.*/\1/'; }
for rung in 4 8; do
  for id in $(sed -n "s/^{\"rung\":$rung,.*\"trials\":\[\"\([0-9a-f]*\)\"\].*/\1/p" one/decisions.jsonl); do
    echo "$(loss "$id") $id"
  done | sort -g > "losses-$rung"
  wanted=$(head -n $(($(wc -l < "losses-$rung") / 2)) "losses-$rung" | cut -d' ' -f2)
  found=$(sed -n "s/^{\"rung\":$rung,.*\"trials\":\[\"\([0-9a-f]*\)\"\].*\"promoted\":true.*/\1/p" one/decisions.jsonl)
  [ "$wanted" = "$found" ] || { cat one/decisions.jsonl "losses-$rung"; fail "rung $rung: others go on than the best half"; }
done
[ "$(wc -l < losses-4)" = 8 ] && [ "$(wc -l < losses-8)" = 4 ] || fail "not all were decided"
"$bin/hepar" status one > status.txt
grep -qE '^net +train +24 +14 +10 ' status.txt && grep -qE '^4 steps +8 +8 +4 ' status.txt &&
  grep -qE '^16 steps +2 +2 *$' status.txt || { cat status.txt; fail "status"; }
for file in md csv tex json; do [ -s one/report/ranking.$file ] || fail "no ranking.$file"; done
[ "$(wc -l < one/report/ranking.csv)" = 9 ] || fail "not 8 rows: $(cat one/report/ranking.csv)"
grep -q '64 of the 128' one/report/ranking.md || { cat one/report/ranking.md; fail "8·4 + 4·4 + 2·8 of 8·16 steps"; }
grep -q 'best first' one/report.html || fail "not in the HTML report"

# --- the best, trained over three rungs, has the weights of one that never stopped: they are one trial ---
sed '/^  asha:/d' sweep.yaml > grid.yaml
best=$(sed -n '/^## Sources/,$ s/^| 1 | .* \([0-9a-f]*\) |$/\1/p' one/report/ranking.md)
below=$("$bin/hepar" status one --json | awk -F'"' '/": \{/ {id = $2} $2 == "stage" && $4 != "net" {print id}' | paste -sd,)
run 1 grid.yaml --out grid --trials "$below,$best" > grid.log 2>&1 || { cat grid.log; fail "the best alone"; }
weights() { sed -n 's/.*"weights_xxh64": "\(.*\)".*/\1/p' "$1/trials/$best/out/outcome.json"; }
grep -q "continuing .* at step 8$" "one/trials/$best/log.txt" || { cat "one/trials/$best/log.txt"; fail "it began again"; }
[ -n "$(weights one)" ] && [ "$(weights one)" = "$(weights grid)" ] || fail "other weights than without stopping"

# --- the same on two ranks and in two groups ---
run 2 sweep.yaml --out two > two.log 2>&1 || { cat two.log; fail "two ranks"; }
cmp one/decisions.jsonl two/decisions.jsonl || fail "other decisions on two ranks"
run 2 sweep.yaml --out groups --ranks-per-trial 1 > groups.log 2>&1 || { cat groups.log; fail "two groups"; }
cmp one/decisions.jsonl groups/decisions.jsonl || fail "other decisions in two groups"

# --- killed in every rung and started again: the same decisions, nothing that is done is done again ---
for lines in 0 9 13; do  # of decisions.jsonl when it is killed, or of the rule alone
  "$bin/hepar" run sweep.yaml --out killed > "killed-$lines.log" 2>&1 &
  pid=$!
  met=
  for _ in $(seq 6000); do
    if [ "$(cat killed/decisions.jsonl 2>/dev/null | wc -l)" -ge "$lines" ] &&
       [ "$(cat "killed-$lines.log" | count ' done net')" -ge 1 ] && [ -n "$(ls killed/state/running 2>/dev/null)" ]; then met=yes; break; fi
    sleep 0.01
  done
  [ -n "$met" ] || { cat "killed-$lines.log"; fail "it ended before it was killed"; }
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null || true
  pid=
done
run 1 sweep.yaml --out killed > killed.log 2>&1 || { cat killed.log; fail "after the kills"; }
cmp one/decisions.jsonl killed/decisions.jsonl || fail "other decisions after kills"
[ -z "$(cat killed-*.log killed.log | grep ' done net' | sed 's/.*, \([0-9a-f]*\) in .*/\1/' | sort | uniq -d)" ] || fail "a training was done twice"
[ "$(ls killed/state/done)" = "$(ls one/state/done)" ] || fail "other trials than without kills"
run 1 sweep.yaml --out killed > again.log 2>&1
! grep -q ' run  ' again.log || { cat again.log; fail "something ran again"; }

# --- another rule: refused; accepted, what was stopped goes on from its checkpoint ---
rc=0
run 1 sweep.yaml --out one --set sweep.asha.eta=4 > changed.log 2>&1 || rc=$?
[ "$rc" = 2 ] && grep -q 'another rule: eta: 2 -> 4' changed.log || { cat changed.log; fail "a changed rule"; }
run 1 sweep.yaml --out one --set axes.net.optimizer.lr=[0.0003,0.001,0.003,0.01,0.03] --accept-changes > more.log 2>&1 ||
  { cat more.log; fail "more configurations"; }
[ "$(count ' run  net.*rung=4)' < more.log)" = 2 ] || { cat more.log; fail "more than the new ones were trained to the first rung"; }
[ "$(sed -n '/^{"bracket"/h; /^{"bracket"/!H; ${x; p}' one/decisions.jsonl | count '"rung":4')" = 10 ] || fail "not decided again among 10"

# --- inside `hepar run` only ---
rc=0
"$bin/hepar" submit sweep.yaml --out submitted --dry-run > submit.log 2>&1 || rc=$?
[ "$rc" = 2 ] && grep -q 'inside hepar run only' submit.log || { cat submit.log; fail "submit"; }
echo "all well"
