#include "chunk_grid.h"

#include <algorithm>
#include <cstring>

#include "hepar/core/error.h"

namespace hepar {

namespace {

/// Blosc 1 takes up to 2^31 − 1 − 16 bytes; far smaller chunks are sensible, and the bound keeps a
/// hostile file from asking for much memory.
constexpr std::int64_t kMaxChunkBytes = std::int64_t{1} << 28;
constexpr std::int64_t kMaxArrayBytes = std::int64_t{1} << 46;

std::int64_t product_below(const Index4& factors, std::int64_t element, std::int64_t limit) {
  std::int64_t product = element;
  for (const std::int64_t factor : factors) {
    if (factor > limit / product) {
      return limit + 1;
    }
    product *= factor;
  }
  return product;
}

std::size_t offset_of(const Index4& array, const Index4& at) {
  return static_cast<std::size_t>(((at[0] * array[1] + at[1]) * array[2] + at[2]) * array[3] +
                                  at[3]);
}

}  // namespace

std::size_t ChunkGrid::chunk_bytes() const {
  return static_cast<std::size_t>(chunk[0] * chunk[1] * chunk[2] * chunk[3]) * element_bytes;
}

std::size_t ChunkGrid::array_bytes() const {
  return static_cast<std::size_t>(size[0] * size[1] * size[2] * size[3]) * element_bytes;
}

Index4 ChunkGrid::origin(std::int64_t index) const {
  Index4 at{};
  for (int axis = 3; axis >= 0; --axis) {
    at[axis] = (index % count[axis]) * chunk[axis];
    index /= count[axis];
  }
  return at;
}

Index4 ChunkGrid::extent(std::int64_t index) const {
  const Index4 at = origin(index);
  Index4 inside{};
  for (int axis = 0; axis < 4; ++axis) {
    inside[axis] = std::min(chunk[axis], size[axis] - at[axis]);
  }
  return inside;
}

Index4 to_index4(std::span<const std::int64_t> values, std::int64_t fill) {
  Index4 all{fill, fill, fill, fill};
  std::copy(values.begin(), values.end(), all.end() - static_cast<std::ptrdiff_t>(values.size()));
  return all;
}

ChunkGrid make_chunk_grid(const ArrayShape& shape, const std::string& where) {
  const std::size_t rank = shape.size.size();
  require<ShapeError>(rank >= 1 && rank <= 4 && shape.chunk.size() == rank,
                      where + ": wanted 1 to 4 axes and as many chunk sizes, found " +
                          std::to_string(rank) + " and " + std::to_string(shape.chunk.size()));
  for (std::size_t axis = 0; axis < rank; ++axis) {
    require<ShapeError>(
        shape.size[axis] >= 1 && shape.chunk[axis] >= 1 && shape.chunk[axis] <= shape.size[axis],
        where + ": axis " + std::to_string(axis) + " has size " + std::to_string(shape.size[axis]) +
            " and chunk " + std::to_string(shape.chunk[axis]) + "; wanted 1 <= chunk <= size");
  }
  ChunkGrid grid;
  grid.size = to_index4(shape.size, 1);
  grid.chunk = to_index4(shape.chunk, 1);
  grid.element_bytes = bytes_per_voxel(shape.type);
  grid.rank = static_cast<int>(rank);
  for (int axis = 0; axis < 4; ++axis) {
    grid.count[axis] = (grid.size[axis] - 1) / grid.chunk[axis] + 1;
  }
  const auto element = static_cast<std::int64_t>(grid.element_bytes);
  require<ShapeError>(
      product_below(grid.chunk, element, kMaxChunkBytes) <= kMaxChunkBytes,
      where + ": a chunk is larger than " + std::to_string(kMaxChunkBytes) + " bytes");
  require<ShapeError>(
      product_below(grid.size, element, kMaxArrayBytes) <= kMaxArrayBytes,
      where + ": the array is larger than " + std::to_string(kMaxArrayBytes) + " bytes");
  return grid;
}

Overlap overlap_of(const ChunkGrid& grid, const Index4& at, const Box4& box) {
  Overlap overlap{};
  for (std::size_t axis = 0; axis < 4; ++axis) {
    const std::int64_t origin = at[axis] * grid.chunk[axis];
    const std::int64_t low = std::max(origin, box.start[axis]);
    const std::int64_t high = std::min(origin + grid.chunk[axis], box.start[axis] + box.size[axis]);
    overlap.in_chunk[axis] = low - origin;
    overlap.in_box[axis] = low - box.start[axis];
    overlap.extent[axis] = high - low;
  }
  return overlap;
}

void copy_block(std::span<const std::byte> from, const Block& source, std::span<std::byte> to,
                const Block& target, const Index4& extent, std::size_t element_bytes) {
  const std::size_t row = static_cast<std::size_t>(extent[3]) * element_bytes;
  for (std::int64_t a = 0; a < extent[0]; ++a) {
    for (std::int64_t b = 0; b < extent[1]; ++b) {
      for (std::int64_t c = 0; c < extent[2]; ++c) {
        const std::size_t read = offset_of(source.array, {source.start[0] + a, source.start[1] + b,
                                                          source.start[2] + c, source.start[3]});
        const std::size_t written = offset_of(
            target.array,
            {target.start[0] + a, target.start[1] + b, target.start[2] + c, target.start[3]});
        std::memcpy(to.data() + written * element_bytes, from.data() + read * element_bytes, row);
      }
    }
  }
}

}  // namespace hepar
