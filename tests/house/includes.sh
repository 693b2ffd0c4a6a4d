#!/usr/bin/env bash
# tests/house/includes.sh ROOT: every #include of include/, src/ and data_prep/ follows the module map (README),
# and every third-party library is included by its one home only. Prints each breach; exit 1 if there is one.
set -euo pipefail
cd "$1"

grep -rnE '^[[:space:]]*#[[:space:]]*include' include src data_prep --include='*.h' --include='*.cpp' --include='*.cu' |
awk '
function allow(module, list,   n, i, names) {
  n = split(list, names, " ")
  for (i = 1; i <= n; ++i) edge[module, names[i]] = 1
  edge[module, module] = 1
}
function home(pattern, modules) { patterns[++libraries] = pattern; homes[libraries] = " " modules " " }
function breach(text) { printf "%s:%s: %s\n", file, line, text; ++breaches }

# The part of the tree that a file belongs to.
function part_of(path,   p) {
  split(path, p, "/")
  if (p[1] == "data_prep") return "prep"
  if (p[1] == "include") return p[3]
  if (p[2] == "pipeline") return p[3] == "engine" ? "engine" : "front"
  if (p[2] == "cli") return p[3] ~ /engine/ ? "engine_main" : "cli"
  return p[2]
}

BEGIN {
  allow("core", "")
  allow("plan", "core")
  allow("image", "core")
  allow("io", "core")
  allow("comm", "core")
  allow("dist", "comm core")
  allow("data", "io dist comm core")
  allow("nn", "plan core")
  allow("train", "data nn dist image io plan comm core")
  allow("prep", "image io plan comm core")
  allow("pipeline", "train data nn dist prep image io plan comm core")
  allow("front", "pipeline image io plan core")
  allow("engine", "pipeline train data nn dist prep image io plan comm core")
  allow("cli", "pipeline core")
  allow("engine_main", "pipeline comm core")

  home("^yaml-cpp/", "core plan")
  home("^boost/program_options", "core")
  home("^(spdlog|fmt)/", "core")
  home("^nlohmann/", "core")
  home("^xxhash", "core")
  home("^nifti|^znzlib", "image")
  home("^itk|^vnl|^gdcm", "image prep")
  home("^zlib\\.h|^libdeflate\\.h", "image")
  home("^hdf5|^H5", "io")
  home("^blosc", "io")
  home("^mpi\\.h", "comm dist")
  home("^nccl\\.h|^cuda|^c10/cuda/|^ATen/cuda/", "dist nn train engine engine_main")
  home("^(torch|ATen|c10)/", "dist data nn train pipeline engine engine_main")
  home("^gtest/|^gmock/|^benchmark/", "")
  # Beside torch, no third-party header is part of the public interface.
  private_only = "^(yaml-cpp|boost|spdlog|fmt|itk|vnl|gdcm|hdf5|H5|blosc|nifti|znzlib|zlib|xxhash|mpi\\.h|nccl|cuda)"
}

{
  match($0, /^[^:]+:[0-9]+:/)
  split(substr($0, 1, RLENGTH), where, ":")
  rest = substr($0, RLENGTH + 1)
  if (!match(rest, /[<"][^>"]+[>"]/)) next
  count += 1
  files[count] = where[1]
  lines[count] = where[2]
  included[count] = substr(rest, RSTART + 1, RLENGTH - 2)
  split(included[count], parts, "/")
  # A pipeline header that needs the engine: nothing of the front door may see it.
  if (where[1] ~ /^include\/hepar\/pipeline\// && parts[1] == "hepar" && parts[2] ~ /^(train|data|nn|dist|comm)$/)
    heavy[substr(where[1], 9)] = 1
}

END {
  for (i = 1; i <= count; ++i) {
    file = files[i]; line = lines[i]; what = included[i]; part = part_of(file)
    seen[part] = 1
    if (what ~ /^hepar\//) {
      split(what, parts, "/")
      if (!((part, parts[2]) in edge)) breach(part " may not include " parts[2] " (" what ")")
      if ((part == "front" || part == "cli") && what in heavy) breach("the front door may not include " what ": it needs the engine")
      continue
    }
    for (l = 1; l <= libraries; ++l)
      if (what ~ patterns[l]) {
        if (index(homes[l], " " part " ") == 0) breach(what " belongs to:" homes[l] "- not to " part)
        break  # the first pattern that fits is the home
      }
    if (file ~ /^include\// && what ~ private_only) breach("a public header may not include " what)
  }
  n = split("core plan image io comm dist data nn train front prep cli", wanted, " ")
  for (i = 1; i <= n; ++i)
    if (!(wanted[i] in seen)) { printf "the scan found no include in %s: is the tree where it was?\n", wanted[i]; ++breaches }
  printf "%d includes, %d breaches\n", count, breaches
  exit breaches > 0
}'
