# tests/slurm/training.sh, sourced after support.sh by tests that interrupt a training on two ranks: experiments in which it
# alone is left to be done, and the uninterrupted run that the others must equal.
cat > long.yaml <<'YAML'
name: long
values: {steps: 200}
stages:
  files: {command: phantom, preset: tiny, sequences: GED4}
  cohort: {command: convert, source: liqa, in: "${files}", labels: "${files}/labels.csv", masks: "${files}/masks"}
  plan: {command: plan, data: "${cohort}", target_spacing: [10, 8, 8], patch: [16, 16, 16], base_features: 4, max_features: 8, batch: 2}
  set: {command: prepare, data: "${cohort}", plan: "${plan}", split: train, label: manual}
  net: {command: train, data: {path: "${set}"}, train: {steps: "${steps}", checkpoint_every: 100, log_every: 1}, run: {threads: 1}}
YAML
cat > site.yaml <<'YAML'
commands: {train: {ranks: 2, time: "00:10:00"}}
YAML

# make_base SECONDS: everything but the training in `base`, as many steps of it as take so long here, and `whole`.
make_base() {
  "$mpirun" 2 "$bin/hepar" run long.yaml --out base > base.log 2>&1 || { cat base.log; fail "the base"; }
  steps=$(tail -q -n 100 base/trials/*/out/metrics.jsonl | sed -n 's/.*"step_s":\([0-9.e-]*\).*/\1/p' |
    awk -v seconds="$1" '{sum += $1} END {n = int(seconds * NR / sum); print (n < 400 ? 400 : n)}')
  echo "trainings of $steps steps"
  sed -i "s/steps: 200}/steps: $steps}/; s/checkpoint_every: 100/checkpoint_every: $((steps / 8))/" long.yaml
  cp -a base whole
  "$mpirun" 2 "$bin/hepar" run long.yaml --out whole --accept-changes > whole.log 2>&1 || { cat whole.log; fail "the whole run"; }
  net=$("$bin/hepar" status whole --json | awk -F'"' '/": \{/ {id = $2} /"stage": "net"/ {print id}')
}
begin() { # FOLDER SITE: the training alone is left to be done there
  out=$work/$1
  cp -a base "$1"
  submit long.yaml --out "$1" --site "$2" --accept-changes
  [ "$(trials)" = 1 ] || { cat submit.txt; fail "not one trial"; }
}
weights() { grep -h weights_xxh64 "$1/trials/$net/out/outcome.json"; }
starts() { cat "$1"/slurm/logs/net-* | grep -c ', start '; }
step_of() { tail -n 1 "$1/trials/$net/out/metrics.jsonl" 2>/dev/null | sed -n 's/.*"step":\([0-9]*\).*/\1/p'; }
until_step() { # FOLDER STEP
  local end=$((SECONDS + 300)) step
  while step=$(step_of "$1"); [ "${step:-0}" -lt "$2" ]; do
    [ $SECONDS -lt $end ] || fail "step $2 was not reached"
    sleep 0.2
  done
}
net_job() { squeue -h -r -t running -o '%A' | head -1; }
same() {
  [ -e "$1/state/done/$net" ] || { "$bin/hepar" status "$1"; fail "$1: the training is not done"; }
  [ "$(weights whole)" = "$(weights "$1")" ] || fail "$1: other weights than the uninterrupted run: $(weights "$1")"
  [ ! -e "$1/trials/$net/deaths" ] || fail "$1: somebody was blamed"
  echo "$1: $(starts "$1") starts, the same weights"
}
