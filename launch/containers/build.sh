#!/usr/bin/env bash
# launch/containers/build.sh cpu|cuda: the build stage of the images beside it, as root. Installs what building needs,
# builds, installs to /opt/hepar, and lists in /opt/hepar/packages the packages whose libraries the programs load.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
preset=$1
prefix=/opt/hepar

if [ "$preset" = cuda ]; then launch/bootstrap.sh --cuda; else launch/bootstrap.sh; fi
cmake --preset "$preset" -DHEPAR_TESTS=OFF
cmake --build --preset "$preset"
cmake --install "build/$preset" --prefix "$prefix"

# Names of library packages change with every release of a distribution; asked for here, none can be out of date.
for library in $(ldd "$prefix"/bin/* | awk '$2 == "=>" && $3 ~ "^/" {print $3}' | sort -u); do
  case $library in "$prefix"/*) continue ;; esac
  file=$(realpath "$library")
  # A file in /usr/lib may be known as one in /lib.
  owner=$(dpkg -S "$file" 2>/dev/null || dpkg -S "${file#/usr}") || {
    echo "build.sh: $library, which a program loads, is in no package and not in $prefix" >&2
    exit 1
  }
  echo "${owner%%:*}"
done | sort -u > "$prefix/packages"
[ -s "$prefix/packages" ]
