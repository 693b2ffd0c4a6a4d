#!/usr/bin/env bash
# launch/containers/runtime.sh: the last stage of the images beside it, as root. Installs the packages that build.sh
# found, and mpirun for ranks within one container; fails when a program would not start.
set -euo pipefail
prefix=/opt/hepar
apt-get update -qq
# shellcheck disable=SC2046
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(cat "$prefix/packages") \
  openmpi-bin openssh-client >/dev/null
apt-get clean
rm -rf /var/lib/apt/lists/*
for program in hepar hepar-prep hepar-engine; do
  if missing=$(ldd "$prefix/bin/$program" | grep 'not found'); then
    echo "runtime.sh: $program lacks: $missing" >&2
    exit 1
  fi
done
"$prefix/bin/hepar" --version
