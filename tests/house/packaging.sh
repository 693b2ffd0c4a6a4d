#!/usr/bin/env bash
# tests/house/packaging.sh ROOT: what src/cmake/install.cmake, launch/containers and docs/clusters.md name is there, the
# images have all that is installed, and their labels the project's version. Prints each breach; exit 1 if there is one.
set -euo pipefail
cd "$1"
docker=launch/containers/Dockerfile
apptainer=launch/containers/hepar.def
breaches=0
checks=0
breach() {
  echo "$*"
  breaches=$((breaches + 1))
}
# exists FILE WHERE: .git is there in a clone only.
exists() {
  checks=$((checks + 1))
  [ "$1" = .git ] || [ -e "$1" ] || breach "$2: names $1, which does not exist"
}

# --- Sources of the images --------------------------------------------------------------------------
copied=$(awk '$1 == "COPY" && $2 !~ /^--from/ {for (i = 2; i < NF; ++i) print $i}' "$docker")
filed=$(awk '/^%/ {inside = $0 == "%files"} /^[[:space:]]/ && inside {print $1}' "$apptainer")
for source in $copied; do exists "$source" "$docker"; done
for source in $filed; do exists "$source" "$apptainer"; done
# What is installed must have been taken in.
installed=$(grep -oE '^install\((DIRECTORY|FILES|PROGRAMS) [^)]*' src/cmake/install.cmake |
  sed -E 's/^[^ ]* //; s/ (DESTINATION|RENAME).*//' | grep -v '[$]' | tr ' ' '\n')
for source in $installed; do exists "$source" src/cmake/install.cmake; done
for name in $(printf "%s\n" CMakeLists.txt CMakePresets.json src include data_prep "$installed" | cut -d/ -f1 | sort -u); do
  grep -qxF "$name" <<<"$filed" || breach "$apptainer: %files lacks $name"
  if grep -qxF "/$name/" .dockerignore; then breach ".dockerignore: leaves out $name, which is built or installed"; fi
done

# --- Paths, presets, packages -----------------------------------------------------------------------
for file in "$docker" "$apptainer" launch/containers/*.sh docs/clusters.md; do
  while IFS= read -r path; do
    exists "$path" "$file"
  done < <(grep -oE '(^|[^/A-Za-z0-9_.-])/?(src/)?(launch|slurm|configs|docs|tests)/[A-Za-z0-9_./-]*[A-Za-z0-9_]' "$file" |
    sed -E 's,^[^/A-Za-z]*,,; s,^/src/,,' | sort -u)
done
for preset in cpu cuda; do
  grep -q "\"name\": \"$preset\", \"inherits\"" CMakePresets.json || breach "CMakePresets.json: no $preset, which $docker builds"
done
# Named by hand; asked for where apt has its lists.
packages=$(sed -n '/apt-get install/,/[^\\]$/p' launch/containers/runtime.sh | grep -oE '\b[a-z0-9]+-(bin|client)\b')
if apt-cache show g++ >/dev/null 2>&1; then
  for package in $packages; do
    checks=$((checks + 1))
    apt-cache show "$package" >/dev/null 2>&1 || breach "launch/containers/runtime.sh: no package $package"
  done
fi

# --- Version, licence -------------------------------------------------------------------------------
version=$(sed -n 's/^project(hepar VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
for file in "$docker" "$apptainer"; do
  grep -qE "org.opencontainers.image.version[= ]$version( |\$)" "$file" || breach "$file: its label is not version $version"
  grep -qE 'org.opencontainers.image.licenses[= ]Apache-2.0' "$file" || breach "$file: its label is not the licence of LICENSE"
done

if [ "$checks" -lt 30 ]; then breach "only $checks names found below $PWD: are the files where they were?"; fi
echo "$checks names, $breaches breaches"
[ "$breaches" -eq 0 ]
