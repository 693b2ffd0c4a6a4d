#!/usr/bin/env bash
# tests/pipeline/sweep_scale_test.sh BIN MPIRUN: configs/sweep/asha.yaml, 64 configurations, with ASHA and as the whole
# grid, each in a folder of its own: ASHA's best must be within 2 % of the grid's at 40 % of its cost or less.
set -euo pipefail
bin=$1
mpirun=$2
work=$(mktemp -d)
trap 'if [ -n "${HEPAR_KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi' EXIT
config=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../configs" && pwd)/sweep/asha.yaml
cd "$work"
fail() { echo "FAILED: $*" >&2; exit 1; }
calc() { awk "BEGIN {print $*}"; }
holds() { awk "BEGIN {exit !($*)}" || fail "wanted: $*"; }
number() { sed -n "s/^ *\"$2\": \([0-9.e+-]*\),*$/\1/p" "$1/report/ranking.json" | head -1; }  # EXP KEY
best() { sed -n '2p' "$1/report/ranking.csv" | awk -F, '{print $(NF - 1)}'; }                  # EXP: the last rung's
# EXP [STAGE]: processor seconds of its trials. Unlike wall times they do not depend on who else works on the machine.
cpu_s() {
  for id in $("$bin/hepar" status "$1" --json | awk -F'"' -v stage="${2:-}" '/": \{/ {id = $2} $2 == "stage" && (stage == "" || stage == $4) {print id}'); do
    if [ -e "$1/state/done/$id" ]; then sed -n 's/^ *"cpu_s": \([0-9.e-]*\),*$/\1/p' "$1/trials/$id/outcome.json"; fi
  done | awk '{s += $1} END {print s}'
}

sed '/^  asha:/d' "$config" > grid.yaml
cp "$config" asha.yaml
for exp in asha grid; do
  "$mpirun" 2 "$bin/hepar" run $exp.yaml --out $exp --ranks-per-trial 1 > $exp.log 2>&1 || { tail -30 $exp.log; fail "$exp"; }
  echo "$exp: best $(best $exp), $(number $exp steps_made) steps, $(cpu_s $exp net) processor seconds of training, $(cpu_s $exp) of everything"
  sed -n '/^| rank/,/^| 5 /p; /^| 5 /q' $exp/report/ranking.md
done
[ "$(wc -l < grid/report/ranking.csv)" = 65 ] && [ "$(wc -l < asha/report/ranking.csv)" = 65 ] || fail "not 64 configurations"
steps=$(calc "$(number asha steps_made) / $(number grid steps_made)")
time=$(calc "$(cpu_s asha net) / $(cpu_s grid net)")
ratio=$(calc "$(best asha) / $(best grid)")
echo "ASHA: $(calc "100 * $ratio") % of the grid's best, at $(calc "100 * $steps") % of its steps and $(calc "100 * $time") % of its processor seconds of training"
holds "$ratio >= 0.98"
holds "$steps <= 0.4"
holds "$time <= 0.4"
echo "all well"
