#include "hepar/io/shard.h"

#include <map>
#include <utility>

#include "chunk_decoder.h"
#include "chunk_grid.h"
#include "hepar/core/error.h"
#include "shard_index.h"

namespace hepar {

struct ShardReader::Impl {
  std::filesystem::path path;
  ShardFile file;
  std::map<std::string, IndexedArray> arrays;

  [[nodiscard]] const IndexedArray& find(const std::string& dataset) const {
    const auto found = arrays.find(dataset);
    require<DataError>(found != arrays.end(), path.string() + ": no array '" + dataset +
                                                  "' among its " + std::to_string(arrays.size()) +
                                                  "; was the shard written by another run?");
    return found->second;
  }

  [[nodiscard]] ChunkSource source(const std::string& dataset) const {
    return {path, dataset, file.get()};
  }
};

ShardReader::ShardReader(std::filesystem::path path) : impl_(std::make_unique<Impl>()) {
  impl_->path = std::move(path);
  impl_->file = ShardFile(impl_->path);
  impl_->arrays = index_shard(impl_->path, impl_->file);
}

ShardReader::~ShardReader() = default;

const std::filesystem::path& ShardReader::path() const { return impl_->path; }

std::vector<std::string> ShardReader::datasets() const {
  std::vector<std::string> names;
  for (const auto& [name, array] : impl_->arrays) {
    names.push_back(name);
  }
  return names;
}

const ArrayShape& ShardReader::shape(const std::string& dataset) const {
  return impl_->find(dataset).shape;
}

std::int64_t ShardReader::chunk_count(const std::string& dataset) const {
  return impl_->find(dataset).grid.chunks();
}

void ShardReader::read_chunk(const std::string& dataset, std::int64_t chunk,
                             std::span<std::byte> out) const {
  const IndexedArray& array = impl_->find(dataset);
  require<ShapeError>(
      chunk >= 0 && chunk < array.grid.chunks() && out.size() == array.grid.chunk_bytes(),
      impl_->path.string() + ":" + dataset + ": chunk " + std::to_string(chunk) + " of " +
          std::to_string(array.grid.chunks()) + " into " + std::to_string(out.size()) +
          " bytes, wanted " + std::to_string(array.grid.chunk_bytes()));
  decode_chunk(impl_->source(dataset), array, chunk, out);
}

std::vector<std::byte> ShardReader::read(const std::string& dataset) const {
  const IndexedArray& array = impl_->find(dataset);
  std::vector<std::byte> all(array.grid.array_bytes());
  const std::vector<std::int64_t> start(array.shape.size.size(), 0);
  read_box(dataset, start, array.shape.size, all);
  return all;
}

void ShardReader::read_box(const std::string& dataset, std::span<const std::int64_t> start,
                           std::span<const std::int64_t> size, std::span<std::byte> out) const {
  const IndexedArray& array = impl_->find(dataset);
  const ChunkGrid& grid = array.grid;
  const std::string where = impl_->path.string() + ":" + dataset;
  const auto rank = static_cast<std::size_t>(grid.rank);
  require<ShapeError>(start.size() == rank && size.size() == rank,
                      where + ": a box of " + std::to_string(size.size()) + " axes, wanted " +
                          std::to_string(rank));
  const Index4 low = to_index4(start, 0);
  const Index4 extent = to_index4(size, 1);
  std::size_t bytes = grid.element_bytes;
  Index4 first{};
  Index4 last{};
  for (std::size_t axis = 0; axis < 4; ++axis) {
    require<ShapeError>(low[axis] >= 0 && extent[axis] >= 1 && extent[axis] <= grid.size[axis] &&
                            low[axis] <= grid.size[axis] - extent[axis],
                        where + ": the box [" + std::to_string(low[axis]) + ", +" +
                            std::to_string(extent[axis]) + ") leaves an axis of " +
                            std::to_string(grid.size[axis]));
    bytes *= static_cast<std::size_t>(extent[axis]);
    first[axis] = low[axis] / grid.chunk[axis];
    last[axis] = (low[axis] + extent[axis] - 1) / grid.chunk[axis];
  }
  require<ShapeError>(out.size() == bytes, where + ": a box of " + std::to_string(bytes) +
                                               " bytes into " + std::to_string(out.size()));
  std::vector<std::byte> decoded(grid.chunk_bytes());
  for_each_index(first, last, [&](const Index4& at) {
    decode_chunk(impl_->source(dataset), array, grid.index_of(at), decoded);
    const Overlap overlap = overlap_of(grid, at, {low, extent});
    copy_block(decoded, {grid.chunk, overlap.in_chunk}, out, {extent, overlap.in_box},
               overlap.extent, grid.element_bytes);
  });
}

}  // namespace hepar
