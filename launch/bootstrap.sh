#!/usr/bin/env bash
# Installs what building and running hepar needs; see `launch/bootstrap.sh --help`.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/.deps
site=$deps/site
env_file=$deps/env.sh
user_mode=no
with_cuda=no

usage() {
  cat <<'TEXT'
launch/bootstrap.sh [--user] [--cuda]

Installs hepar's dependencies on Debian 12 or Ubuntu 24.04 (x86-64). Safe to run again: a second run finds
everything there and changes nothing.

  (no flag)  Debian packages through apt-get, as root or with sudo.
  --user     No root. Looks, for each dependency, in this order: what the system has; modules that the `module`
             command offers; packages that Spack has installed; an active conda environment (CONDA_PREFIX). What is
             still missing is downloaded as Debian packages and unpacked into .deps/root.
  --cuda     Also the libraries that a build with HEPAR_CUDA=ON links and loads (NCCL, cuDNN, ...). The compiler,
             nvcc, is the site's own.

LibTorch: a site's own is taken first (LIBTORCH, CMAKE_PREFIX_PATH, TORCH_HOME, conda, Spack, a module), and
nothing is downloaded then. Else the PyPI wheel pinned by hash in launch/wheels/ is downloaded with your own pip
configuration and unpacked into .deps/site; no Python is needed when hepar runs. Without a CUDA toolkit its two
start-up libraries (libcudart, libcupti) come the same way.

.deps/env.sh, where it exists, is read by the other scripts of launch/; read it before calling cmake by hand.

Tried: a fresh Debian 12 base system, as root; and as a user without root on one that has only g++, git, make and
python3. Not tried: Ubuntu 24.04; modules, Spack and conda of a real site (names differ from site to site).
TEXT
}

say() { printf 'bootstrap: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# dependency | Debian package | a file that proves it (below an include folder), or a program
# The last of ITK's two only keeps CMake quiet: the exported targets of ITK's dependency name its programs.
needs='
compiler|g++|bin:g++
cmake|cmake|bin:cmake
ninja|ninja-build|bin:ninja
git|git|bin:git
pkg-config|pkg-config|bin:pkg-config
mold|mold|bin:mold
ccache|ccache|bin:ccache
openmpi|libopenmpi-dev|bin:mpicc
openmpi|openmpi-bin|bin:mpirun
hdf5|libhdf5-dev|inc:hdf5.h inc:hdf5/serial/hdf5.h
c-blosc|libblosc-dev|inc:blosc.h
itk|libinsighttoolkit5-dev|inc:ITK-*/itkImage.h
gdcm|libgdcm-dev|inc:gdcm-*/gdcmReader.h
gdcm|libgdcm-tools|bin:gdcmdump
yaml-cpp|libyaml-cpp-dev|inc:yaml-cpp/yaml.h
boost|libboost-program-options-dev|inc:boost/program_options.hpp
spdlog|libspdlog-dev|inc:spdlog/spdlog.h
fmt|libfmt-dev|inc:fmt/core.h
nlohmann-json|nlohmann-json3-dev|inc:nlohmann/json.hpp
xxhash|libxxhash-dev|inc:xxhash.h
googletest|libgtest-dev|inc:gtest/gtest.h
googletest|libgmock-dev|inc:gmock/gmock.h
benchmark|libbenchmark-dev|inc:benchmark/benchmark.h
nifti|libnifti-dev|inc:nifti/nifti2_io.h
zlib|zlib1g-dev|inc:zlib.h
'
packages() { printf '%s' "$needs" | sed -n 's/^[^|]*|\([^|]*\)|.*/\1/p'; }

# --- LibTorch --------------------------------------------------------------------------------------------------

# A folder with lib/libtorch_cpu.so of the site's own LibTorch; fails when there is none.
site_torch() {
  local prefix place
  local IFS=$':;'
  for prefix in ${LIBTORCH:-} ${CMAKE_PREFIX_PATH:-} ${TORCH_HOME:-} ${CONDA_PREFIX:-} /opt/libtorch /usr/local /usr; do
    for place in "$prefix" "$prefix/torch"; do
      if [ -e "$place/lib/libtorch_cpu.so" ]; then echo "$place"; return 0; fi
    done
  done
  # A module's or an environment's PyTorch; since 2.7 every wheel has the C++11 ABI.
  if [ -n "${CONDA_PREFIX:-}${LOADEDMODULES:-}${SPACK_ENV:-}" ] && command -v python3 >/dev/null; then
    python3 - <<'PY' 2>/dev/null && return 0
import importlib.util, os, re, sys
spec = importlib.util.find_spec("torch")
folder = spec.submodule_search_locations[0]
found = re.search(r"__version__ = '(\d+)\.(\d+)", open(os.path.join(folder, "version.py")).read())
ok = found and (int(found[1]), int(found[2])) >= (2, 7)
if not ok or not os.path.exists(os.path.join(folder, "lib/libtorch_cpu.so")):
    sys.exit(1)
print(folder)
PY
  fi
  return 1
}

# Some "NAME.so.N" that the dynamic linker or a CUDA toolkit in its usual place offers.
has_library() {
  ldconfig -p 2>/dev/null | grep -q "$1" && return 0
  compgen -G "/usr/local/cuda/lib64/$1*" >/dev/null || compgen -G "/usr/local/cuda/extras/CUPTI/lib64/$1*" >/dev/null
}

stamp_of() { sha256sum "$1" | cut -c1-64; }

# Unpacks the wheels of launch/wheels/NAME.txt into .deps/site, once.
unpack_wheels() {
  local name=$1 list=$root/launch/wheels/$1.txt
  local stamp=$site/.wheels/$name folder=$deps/download-$name wheel version platforms=()
  [ "$(cat "$stamp" 2>/dev/null)" = "$(stamp_of "$list")" ] && return 0
  pip_command
  say "downloading the wheels of launch/wheels/$name.txt"
  for version in 28 27 26 25 24 23 22 21 20 19 18 17; do platforms+=(--platform "manylinux_2_${version}_x86_64"); done
  platforms+=(--platform manylinux2014_x86_64)
  rm -rf "$folder"
  mkdir -p "$folder" "$site/.wheels"
  rm -f "$stamp"
  "${pip[@]}" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    --python-version 311 --implementation cp "${platforms[@]}" --dest "$folder" --requirement "$list" ||
    die "pip could not download the wheels of $list; the lines above say why"
  for wheel in "$folder"/*.whl; do
    python3 -m zipfile -e "$wheel" "$site"
  done
  rm -rf "$folder"
  stamp_of "$list" > "$stamp"  # last: an interrupted run unpacks again
}

# Sets `pip` to a pip that can download. Nothing is ever installed with it.
pip_command() {
  pip=(python3 -m pip)
  "${pip[@]}" --version >/dev/null 2>&1 && return 0
  # Python and pip only fetch and unpack; hepar does not use them.
  local local_pip=$deps/root/usr/lib/python3/dist-packages
  if [ ! -d "$local_pip/pip" ]; then
    if [ "$user_mode" = yes ]; then unpack_debian python3-pip; else apt_install python3-pip ca-certificates; fi
  fi
  "${pip[@]}" --version >/dev/null 2>&1 || pip=(env "PYTHONPATH=$local_pip" python3 -m pip)
  "${pip[@]}" --version >/dev/null 2>&1 || die "no working pip: install python3-pip, or give LibTorch by LIBTORCH=DIR"
}

provide_torch() {
  local found
  if found=$(site_torch); then
    say "LibTorch: the site's own, $found"
    export_line "LIBTORCH=$found"
    return 0
  fi
  unpack_wheels torch
  if [ "$with_cuda" = yes ]; then
    unpack_wheels cudart
    unpack_wheels cuda
  elif ! { has_library libcudart.so.13 && has_library libcupti.so.13; }; then
    unpack_wheels cudart
  fi
}

# --- Packages, as root -----------------------------------------------------------------------------------------

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Abbrev}\n' "$package" 2>/dev/null | grep -q '^ii' || echo "$package"
  done
}

apt_install() {
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "not root and no sudo: run as root, or with --user"
    sudo=(sudo)
  fi
  say "apt-get install: $*"
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

install_packages() {
  command -v apt-get >/dev/null || die "no apt-get: on a system other than Debian or Ubuntu use --user with modules, Spack or conda"
  local missing
  # shellcheck disable=SC2046
  # An MPI started on one machine still looks for ssh.
  missing=$(missing_packages $(packages) openssh-client)
  [ -z "$missing" ] && return 0
  # shellcheck disable=SC2086
  apt_install $missing
}

# --- Without root ----------------------------------------------------------------------------------------------

export_line() {
  mkdir -p "$deps"
  grep -qxF "export $1" "$env_file" 2>/dev/null || echo "export $1" >> "$env_file"
}

# Folders that may hold include/ and bin/.
prefixes() {
  local IFS=$':;'
  printf '%s\n' /usr /usr/local ${CMAKE_PREFIX_PATH:-} ${CONDA_PREFIX:-} "$deps/root/usr"
}

have() {
  local proof prefix
  for proof in $1; do
    if [ "${proof%%:*}" = bin ]; then
      if command -v "${proof#bin:}" >/dev/null || [ -x "$deps/root/usr/bin/${proof#bin:}" ]; then return 0; fi
      continue
    fi
    while IFS= read -r prefix; do
      compgen -G "$prefix/include/${proof#inc:}" >/dev/null && return 0
      compgen -G "$prefix/include/*/${proof#inc:}" >/dev/null && return 0
    done < <(prefixes)
  done
  return 1
}

# A module of that name, or an installed Spack package.
try_site() {
  local name=$1 found
  if type module >/dev/null 2>&1; then
    found=$(module -t avail "$name" 2>&1 | grep -iE "^${name}(/|$)" | tail -1 || true)
    if [ -n "$found" ] && module load "$found" 2>/dev/null; then
      grep -qxF "module load $found" "$env_file" 2>/dev/null || echo "module load $found" >> "$env_file"
      say "$name: module $found"
      return 0
    fi
  fi
  if command -v spack >/dev/null && found=$(spack location -i "$name" 2>/dev/null); then
    say "$name: Spack, $found"
    export_line "CMAKE_PREFIX_PATH=$found\${CMAKE_PREFIX_PATH:+:\$CMAKE_PREFIX_PATH}"
    export_line "PATH=$found/bin:\$PATH"
    export CMAKE_PREFIX_PATH=$found${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH} PATH=$found/bin:$PATH
    return 0
  fi
  return 1
}

# apt with lists and cache of its own, so that it asks for no root.
private_apt() {
  local tool=$1 state=$deps/apt
  shift
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  "$tool" -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" -o Debug::NoLocking=1 \
    -o APT::Sandbox::User=root "$@"
}

# Downloads packages and all they need that this machine lacks, and unpacks them into .deps/root.
unpack_debian() {
  command -v apt-get >/dev/null || die "missing: $*; no module, Spack or conda package was found, and there is no apt-get to download them"
  local folder=$deps/apt/packages wanted
  say "downloading Debian packages into .deps/root: $*"
  private_apt apt-get update -qq
  wanted=$(private_apt apt-get -s install --no-install-recommends "$@" 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*(\([^ ]*\) .*/\1=\2/p')
  mkdir -p "$folder" "$deps/root"
  # shellcheck disable=SC2086
  (cd "$folder" && private_apt apt-get download -qq $wanted)
  local package
  for package in "$folder"/*.deb; do
    dpkg-deb -x "$package" "$deps/root"
  done
  rm -rf "$folder"
  relocate_root
}

# What the packages' install scripts would have done, and paths that still point to /usr.
relocate_root() {
  local usr=$deps/root/usr arch=x86_64-linux-gnu name link
  for name in mpicc mpicxx mpirun mpiexec; do
    [ -e "$usr/bin/$name.openmpi" ] && ln -sf "$name.openmpi" "$usr/bin/$name"
  done
  [ -e "$usr/lib/$arch/openmpi/include/mpi.h" ] && ln -sfn "openmpi/include" "$usr/lib/$arch/mpi-include"
  for name in blas lapack; do  # alternatives of libblas3 and liblapack3
    [ -e "$usr/lib/$arch/$name/lib$name.so.3" ] && ln -sf "$name/lib$name.so.3" "$usr/lib/$arch/lib$name.so.3"
  done
  # Links to absolute targets point to the real /usr, where there may be nothing.
  find "$usr/lib" -type l -lname '/usr/*' 2>/dev/null | while IFS= read -r link; do
    name=$(readlink "$link")
    if [ ! -e "$link" ] && [ -e "$deps/root$name" ]; then ln -sfn "$deps/root$name" "$link"; fi
  done
  find "$usr" \( -name '*.cmake' -o -name '*.pc' -o -name '*-wrapper-data.txt' \) -exec \
    sed -i -E "s#([\"=; (]|-[IL]|^)/usr([\"; )/])#\1$usr\2#g" {} +
}

write_root_env() {
  [ -d "$deps/root/usr" ] || return 0
  local usr='$HEPAR_DEPS_ROOT/usr' arch=x86_64-linux-gnu
  export_line "HEPAR_DEPS_ROOT=$deps/root"
  export_line "PATH=$usr/bin:\$PATH"
  export_line "CMAKE_PREFIX_PATH=$usr\${CMAKE_PREFIX_PATH:+:\$CMAKE_PREFIX_PATH}"
  export_line "PKG_CONFIG_PATH=$usr/lib/$arch/pkgconfig:$usr/share/pkgconfig\${PKG_CONFIG_PATH:+:\$PKG_CONFIG_PATH}"
  export_line "LIBRARY_PATH=$usr/lib/$arch\${LIBRARY_PATH:+:\$LIBRARY_PATH}"
  export_line "CPLUS_INCLUDE_PATH=$usr/include:$usr/include/$arch\${CPLUS_INCLUDE_PATH:+:\$CPLUS_INCLUDE_PATH}"
  export_line "LD_LIBRARY_PATH=$usr/lib/$arch:$usr/lib:\$HEPAR_DEPS_ROOT/lib/$arch:$usr/lib/$arch/openmpi/lib:$usr/lib/$arch/hdf5/serial\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
  export_line "OPAL_PREFIX=$usr"
  export_line "PMIX_INSTALL_PREFIX=$usr/lib/$arch/pmix2"
}

install_for_user() {
  local name package proof missing=()
  while IFS='|' read -r name package proof; do
    [ -n "$name" ] || continue
    have "$proof" && continue
    try_site "$name" && continue
    missing+=("$package")
  done <<< "$needs"
  if [ "${#missing[@]}" -gt 0 ]; then
    unpack_debian "${missing[@]}"
  fi
  write_root_env
}

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --user) user_mode=yes ;;
      --cuda) with_cuda=yes ;;
      --help | -h) usage; exit 0 ;;
      *) die "unknown flag '$1'; the flags are --user, --cuda and --help" ;;
    esac
    shift
  done
  [ "$(uname -m)" = x86_64 ] || die "only x86-64 is supported, this is $(uname -m)"
  # What an earlier run found or unpacked.
  # shellcheck disable=SC1090
  if [ -e "$env_file" ]; then set +u; . "$env_file"; set -u; fi
  if [ "$user_mode" = yes ]; then install_for_user; else install_packages; fi
  provide_torch
}
main "$@"
