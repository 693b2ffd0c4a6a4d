#include "hepar/io/prepared_set.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "chunk_cache.h"
#include "chunk_grid.h"
#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/io/shard.h"
#include "prepared_index.h"

namespace hepar {

namespace {

/// One array of one case: where it is and how it is cut.
struct CaseArray {
  const ShardReader* shard = nullptr;
  std::string dataset;
  ChunkGrid grid;
  std::uint64_t first_key = 0;  ///< of its chunks in the cache
};

/// Stored positions of one case, read when first asked for.
struct Foreground {
  std::once_flag once;
  std::map<int, std::vector<OffsetVox>> positions;
};

/// The part of a wished-for box that lies inside the case.
struct InsidePart {
  Index4 start;   ///< in the case
  Index4 extent;  ///< 0 somewhere: nothing lies inside
  Index4 in_box;  ///< where it goes
};

InsidePart inside_part(SizeVox size, const BoxVox& box) {
  InsidePart part{{0, 0, 0, 0}, {1, 0, 0, 0}, {0, 0, 0, 0}};
  for (int axis = 0; axis < 3; ++axis) {
    const auto slot = static_cast<std::size_t>(axis) + 1;
    const std::int64_t low = std::max<std::int64_t>(0, box.start[axis]);
    const std::int64_t high = std::min(size[axis], box.start[axis] + box.size[axis]);
    part.start[slot] = low;
    part.extent[slot] = std::max<std::int64_t>(0, high - low);
    part.in_box[slot] = low - box.start[axis];
  }
  return part;
}

bool is_whole(const InsidePart& part, SizeVox box) {
  return part.extent[1] == box.z && part.extent[2] == box.y && part.extent[3] == box.x;
}

/// Calls row(source offset, target offset, length) for the rows that a chunk shares with the box.
template <class Row>
void for_each_row(const Overlap& overlap, const Index4& chunk, SizeVox box, const Index4& in_box,
                  const Row& row) {
  for (std::int64_t z = 0; z < overlap.extent[1]; ++z) {
    for (std::int64_t y = 0; y < overlap.extent[2]; ++y) {
      const std::int64_t from =
          ((overlap.in_chunk[1] + z) * chunk[2] + overlap.in_chunk[2] + y) * chunk[3] +
          overlap.in_chunk[3];
      const std::int64_t to =
          ((in_box[1] + overlap.in_box[1] + z) * box.y + in_box[2] + overlap.in_box[2] + y) *
              box.x +
          in_box[3] + overlap.in_box[3];
      row(from, to, overlap.extent[3]);
    }
  }
}

void check_shape(const ShardReader& shard, const std::string& dataset, const ArrayShape& wanted) {
  const ArrayShape& found = shard.shape(dataset);
  const auto text = [](const ArrayShape& shape) {
    std::string sizes;
    for (const std::int64_t size : shape.size) {
      sizes += std::to_string(size) + " ";
    }
    return sizes + to_string(shape.type);
  };
  require<DataError>(found.size == wanted.size && found.type == wanted.type,
                     shard.path().string() + ":" + dataset + ": wanted " + text(wanted) +
                         " as prepared.json says, found " + text(found));
}

}  // namespace

struct PreparedSet::Impl {
  explicit Impl(std::size_t cache_bytes) : cache(cache_bytes) {}

  std::filesystem::path folder;
  PreparedIndex contents;
  std::map<int, std::unique_ptr<ShardReader>> shards;
  std::vector<CaseArray> images;
  std::vector<CaseArray> labels;  ///< without a shard where a case has none
  mutable std::vector<Foreground> foregrounds;
  mutable ChunkCache cache;
  std::uint64_t next_key = 0;

  void open_case(const PreparedCase& record);
  CaseArray open_array(const PreparedCase& record, const std::string& name,
                       const ArrayShape& wanted);
  template <class Row>
  void read(const CaseArray& array, std::int64_t channel, const BoxVox& box, const Row& row) const;
  void read_image(std::size_t index, const BoxVox& box, std::span<float> image) const;
  void read_labels(std::size_t index, const BoxVox& box, std::span<std::int16_t> out) const;
  void load_foreground(std::size_t index) const;
};

CaseArray PreparedSet::Impl::open_array(const PreparedCase& record, const std::string& name,
                                        const ArrayShape& wanted) {
  std::unique_ptr<ShardReader>& shard = shards[record.shard];
  if (!shard) {
    shard = std::make_unique<ShardReader>(folder / shard_file_name(record.shard));
  }
  CaseArray array;
  array.shard = shard.get();
  array.dataset = prepared_dataset(record, name);
  check_shape(*shard, array.dataset, wanted);
  array.grid = make_chunk_grid(shard->shape(array.dataset), array.dataset);
  array.first_key = next_key;
  next_key += static_cast<std::uint64_t>(array.grid.chunks());
  return array;
}

void PreparedSet::Impl::open_case(const PreparedCase& record) {
  const SizeVox size = record.size;
  const auto channels = static_cast<std::int64_t>(record.slope.size());
  images.push_back(
      open_array(record, "image", {{channels, size.z, size.y, size.x}, {}, VoxelType::kInt16}));
  require<DataError>(images.back().grid.chunk[0] == 1, images.back().shard->path().string() + ":" +
                                                           images.back().dataset +
                                                           ": wanted one channel a chunk");
  labels.emplace_back();
  if (!record.has_labels) {
    return;
  }
  labels.back() = open_array(record, "labels", {{size.z, size.y, size.x}, {}, VoxelType::kInt8});
  for (const auto& [label, voxels] : record.label_counts) {
    if (label > 0) {
      check_shape(*labels.back().shard,
                  prepared_dataset(record, "foreground_" + std::to_string(label)),
                  {{foreground_quota(voxels), 3}, {}, VoxelType::kInt32});
    }
  }
}

template <class Row>
void PreparedSet::Impl::read(const CaseArray& array, std::int64_t channel, const BoxVox& box,
                             const Row& row) const {
  const ChunkGrid& grid = array.grid;
  InsidePart part = inside_part({grid.size[1], grid.size[2], grid.size[3]}, box);
  if (part.extent[1] == 0 || part.extent[2] == 0 || part.extent[3] == 0) {
    return;
  }
  part.start[0] = channel;
  Index4 first{};
  Index4 last{};
  for (std::size_t axis = 0; axis < 4; ++axis) {
    first[axis] = part.start[axis] / grid.chunk[axis];
    last[axis] = (part.start[axis] + part.extent[axis] - 1) / grid.chunk[axis];
  }
  for_each_index(first, last, [&](const Index4& at) {
    const std::int64_t number = grid.index_of(at);
    const ChunkCache::Chunk chunk =
        cache.get(array.first_key + static_cast<std::uint64_t>(number), [&] {
          std::vector<std::byte> decoded(grid.chunk_bytes());
          array.shard->read_chunk(array.dataset, number, decoded);
          return decoded;
        });
    const Overlap overlap = overlap_of(grid, at, {part.start, part.extent});
    for_each_row(overlap, grid.chunk, box.size, part.in_box,
                 [&](std::int64_t from, std::int64_t to, std::int64_t n) {
                   row(chunk->data(), from, to, n);
                 });
  });
}

void PreparedSet::Impl::read_image(std::size_t index, const BoxVox& box,
                                   std::span<float> image) const {
  const PreparedCase& record = contents.cases[index];
  const std::int64_t voxels = count(box.size);
  if (!is_whole(inside_part(record.size, box), box.size)) {
    std::fill(image.begin(), image.end(), 0.0F);
  }
  for (std::size_t channel = 0; channel < record.slope.size(); ++channel) {
    const double slope = record.slope[channel];
    const double intercept = record.intercept[channel];
    float* out = image.data() + static_cast<std::int64_t>(channel) * voxels;
    read(images[index], static_cast<std::int64_t>(channel), box,
         [&](const std::byte* chunk, std::int64_t from, std::int64_t to, std::int64_t n) {
           const auto* stored = reinterpret_cast<const std::int16_t*>(chunk) + from;
           for (std::int64_t i = 0; i < n; ++i) {
             out[to + i] = static_cast<float>(static_cast<double>(stored[i]) * slope + intercept);
           }
         });
  }
}

void PreparedSet::Impl::read_labels(std::size_t index, const BoxVox& box,
                                    std::span<std::int16_t> out) const {
  const PreparedCase& record = contents.cases[index];
  if (!record.has_labels || !is_whole(inside_part(record.size, box), box.size)) {
    std::fill(out.begin(), out.end(), std::int16_t{-1});
  }
  if (!record.has_labels) {
    return;
  }
  read(labels[index], 0, box,
       [&](const std::byte* chunk, std::int64_t from, std::int64_t to, std::int64_t n) {
         const auto* stored = reinterpret_cast<const std::int8_t*>(chunk) + from;
         std::copy_n(stored, n, out.data() + to);
       });
}

void PreparedSet::Impl::load_foreground(std::size_t index) const {
  const PreparedCase& record = contents.cases[index];
  std::map<int, std::vector<OffsetVox>> loaded;
  for (const auto& [label, voxels] : record.label_counts) {
    if (label == 0) {
      continue;
    }
    const ShardReader& shard = *labels[index].shard;
    const std::string dataset = prepared_dataset(record, "foreground_" + std::to_string(label));
    const std::vector<std::byte> bytes = shard.read(dataset);
    std::vector<std::int32_t> rows(bytes.size() / sizeof(std::int32_t));
    std::memcpy(rows.data(), bytes.data(), rows.size() * sizeof(std::int32_t));
    std::vector<OffsetVox>& positions = loaded[label];
    for (std::size_t i = 0; i + 2 < rows.size(); i += 3) {
      const OffsetVox at{rows[i], rows[i + 1], rows[i + 2]};
      for (int axis = 0; axis < 3; ++axis) {
        if (at[axis] < 0 || at[axis] >= record.size[axis]) {
          throw DataError(shard.path().string() + ":" + dataset + ": row " + std::to_string(i / 3) +
                          " lies outside the case '" + record.id + "'");
        }
      }
      positions.push_back(at);
    }
  }
  foregrounds[index].positions = std::move(loaded);
}

PreparedSet::PreparedSet(const std::filesystem::path& folder, std::size_t cache_bytes)
    : impl_(std::make_unique<Impl>(cache_bytes)) {
  impl_->folder = folder;
  impl_->contents = read_prepared_index(folder);
  for (const PreparedCase& record : impl_->contents.cases) {
    impl_->open_case(record);
  }
  impl_->foregrounds = std::vector<Foreground>(impl_->contents.cases.size());
}

PreparedSet::~PreparedSet() = default;
PreparedSet::PreparedSet(PreparedSet&&) noexcept = default;

const std::filesystem::path& PreparedSet::folder() const { return impl_->folder; }
const std::vector<PreparedCase>& PreparedSet::cases() const { return impl_->contents.cases; }
const std::map<std::string, int>& PreparedSet::labels() const { return impl_->contents.labels; }
const std::string& PreparedSet::plan_yaml() const { return impl_->contents.plan_yaml; }
const std::string& PreparedSet::source_hash() const { return impl_->contents.source_hash; }

int PreparedSet::channels() const {
  return cases().empty() ? 0 : static_cast<int>(cases().front().slope.size());
}

std::string PreparedSet::hash() const {
  // Not the shard and position: the same data in other shards are the same data.
  Json identity = Json::array();
  for (const PreparedCase& record : cases()) {
    identity.push_back(
        {record.id, record.image_hash, record.labels_hash, record.slope, record.intercept});
  }
  return to_hex(xxh64(identity.dump()));
}

void PreparedSet::read_patch(std::size_t index, const BoxVox& box, std::span<float> image,
                             std::span<std::int16_t> labels) const {
  require<ShapeError>(index < cases().size(), impl_->folder.string() + ": case " +
                                                  std::to_string(index) + " of " +
                                                  std::to_string(cases().size()));
  const std::string where = impl_->folder.string() + ": case '" + cases()[index].id + "'";
  require<ShapeError>(box.size.z > 0 && box.size.y > 0 && box.size.x > 0,
                      where + ": a patch needs a size above 0");
  const auto voxels = static_cast<std::size_t>(count(box.size));
  const std::size_t wanted = voxels * static_cast<std::size_t>(channels());
  require<ShapeError>(image.size() == wanted, where + ": a patch of " + std::to_string(wanted) +
                                                  " values into " + std::to_string(image.size()));
  require<ShapeError>(labels.empty() || labels.size() == voxels,
                      where + ": a patch of " + std::to_string(voxels) + " labels into " +
                          std::to_string(labels.size()));
  impl_->read_image(index, box, image);
  if (!labels.empty()) {
    impl_->read_labels(index, box, labels);
  }
}

std::span<const OffsetVox> PreparedSet::foreground(std::size_t index, int label) const {
  require<ShapeError>(index < cases().size(), impl_->folder.string() + ": case " +
                                                  std::to_string(index) + " of " +
                                                  std::to_string(cases().size()));
  Foreground& foreground = impl_->foregrounds[index];
  std::call_once(foreground.once, [&] { impl_->load_foreground(index); });
  const auto found = foreground.positions.find(label);
  return found == foreground.positions.end() ? std::span<const OffsetVox>()
                                             : std::span<const OffsetVox>(found->second);
}

}  // namespace hepar
