# Sourced by the scripts beside it, which set `root`: sets `program`, and defines `hepar COMMAND …` and
# `on_ranks N COMMAND …`. In a clone it first finds what launch/bootstrap.sh set up and builds the programs; in an
# installed tree (docs/clusters.md) they are there.
if [ -e "$root/CMakeLists.txt" ]; then
  if [ -d "$root/.deps/root" ]; then "$root/launch/bootstrap.sh" --user; else "$root/launch/bootstrap.sh"; fi
  # shellcheck disable=SC1091
  if [ -e "$root/.deps/env.sh" ]; then set +u; . "$root/.deps/env.sh"; set -u; fi
  (cd "$root" && cmake --preset cpu && cmake --build --preset cpu --target hepar hepar-engine hepar-prep)
  program=$root/build/cpu/bin/hepar
else
  program=$(realpath "$root/../../bin/hepar")
fi

hepar() { "$program" "$@"; }

on_ranks() {
  local flags=(--oversubscribe --bind-to none -n "$1")
  [ "$(id -u)" = 0 ] && flags+=(--allow-run-as-root)
  shift
  mpirun "${flags[@]}" "$program" "$@"
}
