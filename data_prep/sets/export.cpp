#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/progress.h"
#include "hepar/image/nifti.h"
#include "hepar/image/orientation.h"
#include "hepar/io/manifest.h"
#include "hepar/io/prepared_set.h"
#include "hepar/prep/sets.h"
#include "sets/arrays.h"
#include "sets/from_root.h"
#include "sets/prepared_grid.h"

namespace hepar {
namespace {

/// One case's files, written below `folder`.
using ExportCase = std::function<void(std::size_t index, const fs::path& folder)>;

void export_cohort_case(const fs::path& set, const CaseRecord& item, const std::string& shard,
                        const fs::path& folder) {
  const ShardReader reader(set / shard);
  make_writable_directory(folder / item.id);
  for (const SequenceRecord& sequence : item.sequences) {
    const Reorientation back = inverse({sequence.source_axis, sequence.flipped});
    write_nifti(folder / item.id / (sequence.sequence + ".nii.gz"),
                reorient(read_array(reader, sequence.image, sequence.grid), back));
    if (sequence.mask) {
      write_nifti(folder / item.id / ("mask_" + sequence.sequence + ".nii.gz"),
                  reorient(read_array(reader, *sequence.mask, sequence.grid), back));
    }
  }
}

std::string channel_file(std::size_t channel) {
  return std::string("channel_") + (channel < 10 ? "0" : "") + std::to_string(channel) + ".nii.gz";
}

void export_prepared_case(const PreparedSet& set, std::size_t index, const fs::path& folder) {
  const PreparedCase& item = set.cases()[index];
  const auto voxels = static_cast<std::size_t>(count(item.size));
  const auto channels = static_cast<std::size_t>(set.channels());
  std::vector<float> image(channels * voxels);
  LabelImage labels{prepared_grid(item), std::vector<std::int16_t>(item.has_labels ? voxels : 0)};
  set.read_patch(index, {{0, 0, 0}, item.size}, image, labels.voxels);
  make_writable_directory(folder / item.id);
  for (std::size_t c = 0; c < channels; ++c) {
    const auto first = image.begin() + static_cast<std::ptrdiff_t>(c * voxels);
    const Image<float> channel{labels.grid, {first, first + static_cast<std::ptrdiff_t>(voxels)}};
    write_nifti(folder / item.id / channel_file(c), from_float(channel));
  }
  if (item.has_labels) {
    write_nifti(folder / item.id / "labels.nii.gz", from_labels(labels));
  }
}

struct Exporter {
  std::size_t cases = 0;
  ExportCase write;
};

Exporter open_set(const fs::path& folder) {
  if (kind_of_set(folder) == SetKind::kCohort) {
    const auto manifest = std::make_shared<Manifest>(read_manifest(folder));
    return {manifest->cases.size(), [=](std::size_t index, const fs::path& out) {
              const CaseRecord& item = manifest->cases[index];
              const auto shard = static_cast<std::size_t>(item.shard);
              export_cohort_case(folder, item, manifest->shards.at(shard).file, out);
            }};
  }
  const auto set = std::make_shared<PreparedSet>(folder, 0);
  return {set->cases().size(),
          [=](std::size_t index, const fs::path& out) { export_prepared_case(*set, index, out); }};
}

fs::path without_slash(const fs::path& path) {
  const fs::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

}  // namespace

void ExportConfig::declare(ConfigSchema& schema) {
  schema.add("data", data, "The cohort or prepared set", {}, Effect::kNone);
  schema.add("out", out, "Folder for the NIfTI files; must not exist", {}, Effect::kNone);
}

void export_set(const ExportConfig& config, Communicator& ranks) {
  const fs::path out = without_slash(config.out);
  const fs::path partial = out.string() + ".partial";
  from_root(ranks, [&] {
    require<ConfigError>(!config.out.empty(), "export: --out is missing: a folder for the files");
    require<ConfigError>(!fs::exists(out),
                         out.string() + ": is already there; choose another --out or remove it");
    make_writable_directory(partial);
    return std::string();
  });
  together(ranks, [&] {
    const Exporter exporter = open_set(config.data);
    const auto size = static_cast<std::size_t>(ranks.size());
    const auto first = static_cast<std::size_t>(ranks.rank());
    Progress progress("export",
                      static_cast<std::int64_t>((exporter.cases + size - 1 - first) / size),
                      ranks.is_root());
    for (std::size_t i = first; i < exporter.cases; i += size) {
      exporter.write(i, partial);
      progress.advance();
    }
  });
  from_root(ranks, [&] {
    fs::rename(partial, out);
    return std::string();
  });
  log::info(out.string() + ": written");
}

}  // namespace hepar
