#!/usr/bin/env bash
# launch/test.sh [CTEST ARGUMENT...]: sets up, builds everything and runs all tests but those that need the
# Python peers, a GPU or a night. Arguments go to ctest: launch/test.sh -R image --verbose
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# An earlier --user run left this folder; without it root or sudo is needed.
if [ -d .deps/root ]; then launch/bootstrap.sh --user; else launch/bootstrap.sh; fi
# shellcheck disable=SC1091
if [ -e .deps/env.sh ]; then set +u; . .deps/env.sh; set -u; fi

# A translation unit with Torch in it takes up to 2 GB; more jobs than memory would only swap.
jobs=$(nproc)
by_memory=$(awk '/MemAvailable/ { print int($2 / 1024 / 1024 / 2) }' /proc/meminfo)
if [ "$by_memory" -lt "$jobs" ]; then jobs=$((by_memory > 0 ? by_memory : 1)); fi

cmake --preset cpu
cmake --build --preset cpu --parallel "$jobs"
ctest --test-dir build/cpu --output-on-failure --parallel "$(nproc)" --label-exclude '^(peers|nightly|gpu)$' "$@"
