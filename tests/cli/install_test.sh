#!/usr/bin/env bash
# install_test.sh PROGRAMS MPIRUN: what `cmake --install` puts into a folder works in another one, without the clone:
# programs, launch scripts, batch script, configurations, modulefile.
# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"
clone=$(cd "$(dirname "$0")/../.." && pwd)
version=$(hepar --version)

check "cmake --install" cmake --install "$(dirname "$programs")" --prefix "$work/first"
mkdir "$work/moved"
mv "$work/first" "$work/moved/hepar"
root=$work/moved/hepar
share=$root/share/hepar
programs=$root/bin

for program in hepar hepar-engine hepar-prep; do
  paths=$(readelf -d "$programs/$program" | sed -n 's/.*R\(UN\)\{0,1\}PATH.*\[\(.*\)\]/\2/p')
  check "$program looks for no library in the clone ($paths)" test "${paths//"$clone"/}" = "$paths"
  check "$program finds its libraries" test -z "$(ldd "$programs/$program" | grep 'not found')"
done
for file in configs/quick/liseg.yaml slurm/site.yaml ../doc/hepar/LICENSE ../doc/hepar/docs/clusters.md; do
  check "share/hepar/$file" test -s "$share/$file"
done

# --- The programs -----------------------------------------------------------------------------------
cd "$work" || exit 1
equal "version" "$version" "$(hepar --version)"
expect "the engine's help" 0 "--dry-run" hepar train --help
check "planning from numbers" hepar plan --spacing 5,1.5,1.5 --shape 40,200,200 --cases 20 --classes 2 --out "$work/numbers.yaml"
need_cohort
check "converting on 2 ranks" on_ranks 2 convert --source liqa --in "$work/files" --labels "$work/files/labels.csv" \
  --out "$work/on_2"
check "the same cohort" cmp "$work/cohort/manifest.json" "$work/on_2/manifest.json"
training=(train --config "$share/configs/quick/segmentation.yaml" --set data.path="$work/prepared" --set train.steps=2
  --set device=cpu)
check "a training's dry run on 2 ranks" on_ranks 2 "${training[@]}" --out "$work/dry" --dry-run
check "writes nothing" test ! -e "$work/dry"
check "launch/ranks.sh" "$share/launch/ranks.sh" 2 "${training[@]}" --out "$work/run"
equal "its outcome" 0 "$(json_value "$work/run/outcome.json" exit_code)"
check "launch/experiment.sh" "$share/launch/experiment.sh" 1 "$share/configs/quick/liseg.yaml" "$work/study" --dry-run

# --- hepar submit ------------------------------------------------------------------------------------
if [ "$(id -u)" = 0 ] && PATH=$PATH:/usr/sbin:/sbin command -v slurmctld munged slurmd >/dev/null; then
  check "a Slurm of one node" "$clone/tests/slurm/start.sh" "$work/slurm"
  trap '"$clone/tests/slurm/stop.sh" "$work/slurm"; finish' EXIT
  submit() { (. "$work/slurm/env" && hepar submit "$share/configs/quick/liseg.yaml" --out "$work/study" --dry-run); }
  submit >"$work/scripts" 2>&1
  check "a job starts the installed program" grep -qx "program=['\"]\{0,1\}$root/bin/hepar['\"]\{0,1\}" "$work/scripts"
  check "by the installed batch script" grep -qF "$(grep -m 1 '  launch=(srun' "$share/slurm/trials.sbatch")" "$work/scripts"
else
  echo "not tried: hepar submit (wants root and Slurm: apt-get install slurm-wlm munge)"
fi

# --- The modulefile, by Lmod or Environment Modules -------------------------------------------------
# with_module COMMAND...: in an environment that has it loaded and knows nothing else of hepar.
with_module() {
  (
    eval "$(MODULEPATH=$share/modulefiles "$modules" bash load hepar)" && "$@"
  )
}
modules=
for tool in /usr/share/lmod/lmod/libexec/lmod /usr/lib/x86_64-linux-gnu/modulecmd.tcl; do
  if [ -x "$tool" ]; then modules=$tool; fi
done
if [ -z "$modules" ]; then
  echo "not tried: the modulefile (apt-get install lmod, or environment-modules)"
else
  equal "the module's hepar" "$root/bin/hepar" "$(with_module bash -c 'command -v hepar')"
  equal "its folder" "$root" "$(with_module printenv HEPAR_ROOT)"
  check "on 2 ranks" with_module "$mpirun" 2 hepar "${training[@]}" --out "$work/dry" --dry-run
fi
exit $failed
