#pragma once
#include <hepar/core/hash.h>
#include <hepar/core/version.h>
#include <hepar/io/manifest.h>
#include <hepar/io/shard.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace hepar::test {

/// One sequence to write: value(z, y, x) and label(z, y, x); no label function, no mask.
struct SmallSequence {
  std::string name;
  Grid grid;
  std::function<int(OffsetVox)> value;
  std::function<int(OffsetVox)> label;
};

struct SmallCase {
  std::string id;
  std::string split = "train";
  std::string domain = "A";
  std::vector<SmallSequence> sequences;
};

inline ArrayRecord write_small(ShardWriter& writer, const std::string& dataset, const Grid& grid,
                               const std::function<int(OffsetVox)>& value) {
  std::vector<short> voxels;
  for (OffsetVox at; at.z < grid.size.z; ++at.z) {
    for (at.y = 0; at.y < grid.size.y; ++at.y) {
      for (at.x = 0; at.x < grid.size.x; ++at.x) {
        voxels.push_back(static_cast<short>(value(at)));
      }
    }
  }
  const std::vector<std::int64_t> size{grid.size.z, grid.size.y, grid.size.x};
  ArrayRecord record;
  record.dataset = dataset;
  record.hash =
      writer.write(dataset, {size, size, VoxelType::kInt16}, std::as_bytes(std::span(voxels)));
  return record;
}

/// A cohort of one shard a case, labels {liver: 1}; stored · 2 − 1 is the real value.
inline Manifest write_small_cohort(const std::filesystem::path& folder,
                                   const std::vector<SmallCase>& cases) {
  Manifest manifest;
  manifest.tool_version = version();
  manifest.source = "test";
  manifest.labels = {{"liver", 1}};
  std::filesystem::create_directories(folder / "shards");
  for (const SmallCase& small : cases) {
    const std::string file = "shards/" + small.id + ".h5";
    ShardWriter writer(folder / file, Compressor::kZstd);
    CaseRecord record;
    record.id = record.patient = small.id;
    record.split = small.split;
    record.domain = small.domain;
    record.shard = static_cast<int>(manifest.shards.size());
    for (const SmallSequence& sequence : small.sequences) {
      const std::string group = "/cases/" + small.id + "/" + sequence.name;
      SequenceRecord stored;
      stored.sequence = sequence.name;
      stored.grid = sequence.grid;
      stored.image = write_small(writer, group + "/image", sequence.grid, sequence.value);
      stored.image.slope = 2;
      stored.image.intercept = -1;
      if (sequence.label) {
        stored.mask = write_small(writer, group + "/mask", sequence.grid, sequence.label);
        record.label = "manual";
      }
      record.sequences.push_back(stored);
    }
    writer.close();
    manifest.cases.push_back(record);
    manifest.shards.push_back({file, to_hex(xxh64(file))});
  }
  write_manifest(folder, manifest);
  return manifest;
}

}  // namespace hepar::test
