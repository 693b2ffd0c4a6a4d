#!/usr/bin/env bash
# tests/slurm/submit_test.sh BIN MPIRUN: `hepar submit` on a real Slurm of one node: an experiment to its table through
# arrays and dependencies; submitted again; with a trial deleted.
set -euo pipefail
# shellcheck source=tests/slurm/support.sh
. "$(dirname "${BASH_SOURCE[0]}")/support.sh"

# --- an experiment to its table ---
cat > study.yaml <<'YAML'
name: study
axes: {row: [short, long]}
defaults: {train: {train: {log_every: 10}, run: {threads: 1}}}
stages:
  files: {command: phantom, preset: tiny, sequences: GED4}
  cohort: {command: convert, source: liqa, in: "${files}", labels: "${files}/labels.csv", masks: "${files}/masks"}
  plan: {command: plan, data: "${cohort}", target_spacing: [10, 8, 8], patch: [16, 16, 16], base_features: 4, max_features: 8, batch: 2}
  set: {command: prepare, data: "${cohort}", plan: "${plan}", split: train, label: manual}
  short: {command: train, data: {path: "${set}"}, train: {steps: 10}}
  long: {command: train, data: {path: "${set}"}, train: {steps: 20}}
  references: {command: masks, data: "${cohort}", sequence: GED4, split: val}
  predictions: {command: predict, model: "${${row}}", in: "${cohort}", split: val, mirror: false, step: 1}
  scores: {command: evaluate, pred: "${predictions}", ref: "${references}"}
table:
  scores: scores
  cohort: cohort
  rows: row
  groups: {all: {split: val}}
YAML
cat > site.yaml <<'YAML'
time: "00:10:00"
signal_s: 30
throttle: 2
commands: {train: {ranks: 2}, convert: {ranks: 2, launcher: mpirun}}
YAML
out=$work/study
"$bin/hepar" submit study.yaml --out study --site site.yaml --dry-run > dry.txt 2>&1 || { cat dry.txt; fail "dry run"; }
[ ! -e study ] && [ -z "$(squeue -h)" ] || fail "a dry run wrote or submitted"
grep -q '^#SBATCH --array=0-1%2$' dry.txt && grep -q '^srun\|srun --mpi=pmix' dry.txt || fail "the dry run shows no scripts"
submit study.yaml --out study --site site.yaml
[ "$(trials)" = 11 ] || { cat submit.txt; fail "eleven trials"; }
# While they wait: nothing is submitted twice.
submit study.yaml --out study --site site.yaml
[ "$(trials)" = 0 ] || { cat submit.txt; fail "trials were submitted that were in the queue"; }
[ "$(squeue -h -o %E | grep -c aftercorr)" -ge 1 ] || { squeue -o '%i %j %E'; fail "no element waits for its own"; }
queue_empty 1200
[ "$(done_trials study)" = 11 ] || { "$bin/hepar" status study; fail "not all done"; }
[ -s study/report/table.md ] || fail "no table"
cat study/report/table.md

# --- again: nothing; one deleted: one ---
submit study.yaml --out study --site site.yaml
grep -q 'nothing to submit: 11 of 11' submit.txt || { cat submit.txt; fail "submitted again"; }
trial=$(basename "$(dirname "$(find study/trials -name scores.json | head -1)")")
rm -r "study/trials/$trial"
submit study --site site.yaml
[ "$(trials)" = 1 ] && [ "$(cat study/slurm/00[0-9]/*scores*.txt | grep -c "$trial")" = 2 ] || { cat submit.txt; fail "not one"; }
queue_empty 120
[ "$(done_trials study)" = 11 ] || fail "the deleted trial was not done again"

# --- a trial that is not in the experiment ---
rc=0
"$bin/hepar" run study --trials 0123456789abcdef > trials.txt 2>&1 || rc=$?
[ "$rc" = 2 ] && grep -q "no trial '0123456789abcdef'" trials.txt || { cat trials.txt; fail "an unknown trial"; }
echo "all well"
