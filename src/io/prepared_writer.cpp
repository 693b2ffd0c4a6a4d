#include "hepar/io/prepared_writer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/random.h"
#include "prepared_index.h"

namespace hepar {

namespace {

constexpr double kSteps = 65534;
constexpr double kLowest = std::numeric_limits<std::int16_t>::min();
constexpr double kHighest = std::numeric_limits<std::int16_t>::max();
/// nnU-Net's seed for the stored foreground positions.
constexpr std::uint64_t kForegroundSeed = 1234;

std::vector<std::int16_t> quantise(std::span<const float> values, const Quantisation& code) {
  std::vector<std::int16_t> stored(values.size());
  std::transform(values.begin(), values.end(), stored.begin(), [&](float value) {
    const double level = std::nearbyint((static_cast<double>(value) - code.intercept) / code.slope);
    return static_cast<std::int16_t>(std::clamp(level, kLowest, kHighest));
  });
  return stored;
}

std::vector<std::int8_t> narrow_labels(std::span<const std::int16_t> labels, PreparedCase& record,
                                       const std::string& where) {
  std::vector<std::int8_t> stored(labels.size());
  std::array<std::int64_t, 128> counts{};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int16_t label = labels[i];
    if (label < -1 || label > 127) {  // not require(): it would build its text for every voxel
      throw DataError(where + ": label " + std::to_string(label) + ", wanted −1 (outside) to 127");
    }
    stored[i] = static_cast<std::int8_t>(label);
    if (label >= 0) {
      ++counts[static_cast<std::size_t>(label)];
    }
  }
  for (std::size_t label = 0; label < counts.size(); ++label) {
    if (counts[label] > 0) {
      record.label_counts[static_cast<int>(label)] = counts[label];
    }
  }
  return stored;
}

/// Positions of `label` chosen without replacement by selection sampling (Knuth, TAOCP 3.4.2,
/// algorithm S): one pass, the result in memory order. Rows of (z, y, x).
std::vector<std::int32_t> draw_foreground(std::span<const std::int8_t> labels,
                                          const PreparedCase& record, int label) {
  RandomStream random({kForegroundSeed, Purpose::kForegroundIndex, xxh64(record.id),
                       static_cast<std::uint32_t>(label)});
  std::int64_t left = record.label_counts.at(label);
  std::int64_t wanted = foreground_quota(left);
  std::vector<std::int32_t> positions;
  positions.reserve(static_cast<std::size_t>(wanted) * 3);
  const SizeVox size = record.size;
  for (std::int64_t i = 0; wanted > 0; ++i) {
    if (labels[static_cast<std::size_t>(i)] != label) {
      continue;
    }
    if (random.integer(left) < wanted) {
      positions.push_back(static_cast<std::int32_t>(i / (size.y * size.x)));
      positions.push_back(static_cast<std::int32_t>(i / size.x % size.y));
      positions.push_back(static_cast<std::int32_t>(i % size.x));
      --wanted;
    }
    --left;
  }
  return positions;
}

void check_sample(const PreparedSample& sample, const std::string& where) {
  const SizeVox size = sample.record.size;
  require<ShapeError>(size.z > 0 && size.y > 0 && size.x > 0, where + ": wanted a size above 0");
  const auto voxels = static_cast<std::size_t>(count(size));
  require<ShapeError>(!sample.channels.empty(), where + ": wanted at least one channel");
  for (const std::span<const float>& channel : sample.channels) {
    require<ShapeError>(channel.size() == voxels, where + ": a channel of " +
                                                      std::to_string(channel.size()) +
                                                      " voxels, wanted " + std::to_string(voxels));
  }
  require<ShapeError>(sample.labels.empty() || sample.labels.size() == voxels,
                      where + ": " + std::to_string(sample.labels.size()) + " labels, wanted " +
                          std::to_string(voxels));
}

}  // namespace

Quantisation quantisation_of(std::span<const float> values, const std::string& where) {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      throw DataError(where + ": voxel " + std::to_string(i) + " is not a finite number");
    }
    low = std::min(low, values[i]);
    high = std::max(high, values[i]);
  }
  if (values.empty() || low == high) {
    return {1, values.empty() ? 0 : static_cast<double>(low)};
  }
  Quantisation code;
  code.slope = (static_cast<double>(high) - static_cast<double>(low)) / kSteps;
  code.intercept = static_cast<double>(low) - (kLowest + 1) * code.slope;
  if (low <= 0 && high >= 0) {
    // Moves every level by half a step at most; the 65536 codes have room for that.
    code.intercept = std::nearbyint(code.intercept / code.slope) * code.slope;
  }
  return code;
}

std::vector<std::int64_t> prepared_chunk(SizeVox size) {
  constexpr SizeVox kChunk{32, 64, 64};
  return {std::min(kChunk.z, size.z), std::min(kChunk.y, size.y), std::min(kChunk.x, size.x)};
}

std::int64_t foreground_quota(std::int64_t voxels) {
  constexpr std::int64_t kMost = 10000;
  return std::max(std::min(kMost, voxels), (voxels + 99) / 100);
}

std::string shard_file_name(int shard) {
  std::array<char, 40> name{};
  std::snprintf(name.data(), name.size(), "shards/shard-%05d.h5", shard);
  return name.data();
}

struct PreparedShardWriter::Impl {
  ShardWriter writer;
  std::string where;
  int shard;
  int next = 0;

  void write_image(const PreparedSample& sample, PreparedCase& record, const std::string& place);
  void write_labels(const PreparedSample& sample, PreparedCase& record, const std::string& place);
};

void PreparedShardWriter::Impl::write_image(const PreparedSample& sample, PreparedCase& record,
                                            const std::string& place) {
  std::vector<std::int16_t> stored;
  stored.reserve(sample.channels.size() * static_cast<std::size_t>(count(record.size)));
  for (std::size_t channel = 0; channel < sample.channels.size(); ++channel) {
    const Quantisation code =
        quantisation_of(sample.channels[channel], place + ": channel " + std::to_string(channel));
    const std::vector<std::int16_t> part = quantise(sample.channels[channel], code);
    stored.insert(stored.end(), part.begin(), part.end());
    record.slope.push_back(code.slope);
    record.intercept.push_back(code.intercept);
  }
  const SizeVox size = record.size;
  const std::vector<std::int64_t> chunk = prepared_chunk(size);
  const ArrayShape shape{
      {static_cast<std::int64_t>(sample.channels.size()), size.z, size.y, size.x},
      {1, chunk[0], chunk[1], chunk[2]},
      VoxelType::kInt16};
  record.image_hash =
      writer.write(prepared_dataset(record, "image"), shape, std::as_bytes(std::span(stored)));
}

void PreparedShardWriter::Impl::write_labels(const PreparedSample& sample, PreparedCase& record,
                                             const std::string& place) {
  record.has_labels = true;
  const std::vector<std::int8_t> stored = narrow_labels(sample.labels, record, place);
  const SizeVox size = record.size;
  const ArrayShape shape{{size.z, size.y, size.x}, prepared_chunk(size), VoxelType::kInt8};
  record.labels_hash =
      writer.write(prepared_dataset(record, "labels"), shape, std::as_bytes(std::span(stored)));
  for (const auto& [label, voxels] : record.label_counts) {
    if (label == 0) {
      continue;
    }
    constexpr std::int64_t kRowsAChunk = 16384;
    const std::vector<std::int32_t> positions = draw_foreground(stored, record, label);
    const auto rows = static_cast<std::int64_t>(positions.size() / 3);
    writer.write(prepared_dataset(record, "foreground_" + std::to_string(label)),
                 {{rows, 3}, {std::min(rows, kRowsAChunk), 3}, VoxelType::kInt32},
                 std::as_bytes(std::span(positions)));
  }
}

PreparedShardWriter::PreparedShardWriter(const Options& options) {
  make_writable_directory(options.folder / "shards");
  const std::filesystem::path path = options.folder / shard_file_name(options.shard);
  impl_ = std::unique_ptr<Impl>(
      new Impl{ShardWriter(path, Compressor::kLz4, options.threads), path.string(), options.shard});
}

PreparedShardWriter::~PreparedShardWriter() = default;

PreparedCase PreparedShardWriter::write(const PreparedSample& sample) {
  const std::string place = impl_->where + ": case '" + sample.record.id + "'";
  check_sample(sample, place);
  PreparedCase record = sample.record;
  record.slope.clear();
  record.intercept.clear();
  record.label_counts.clear();
  record.has_labels = false;
  record.labels_hash.clear();
  record.shard = impl_->shard;
  record.position = impl_->next++;
  impl_->write_image(sample, record, place);
  if (!sample.labels.empty()) {
    impl_->write_labels(sample, record, place);
  }
  return record;
}

void PreparedShardWriter::close() { impl_->writer.close(); }

}  // namespace hepar
