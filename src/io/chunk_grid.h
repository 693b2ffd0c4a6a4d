#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "hepar/io/shard.h"

namespace hepar {

/// Sizes or positions along four axes; arrays with fewer have leading ones.
using Index4 = std::array<std::int64_t, 4>;

/// A place in a dense array of size `array`.
struct Block {
  Index4 array;
  Index4 start;
};

/// A box of an array.
struct Box4 {
  Index4 start;
  Index4 size;
};

/// How an array is cut into chunks.
struct ChunkGrid {
  Index4 size{1, 1, 1, 1};   ///< of the array
  Index4 chunk{1, 1, 1, 1};  ///< of one chunk
  Index4 count{1, 1, 1, 1};  ///< chunks along each axis
  std::size_t element_bytes = 1;
  int rank = 0;  ///< axes the array really has: the last ones

  [[nodiscard]] std::int64_t chunks() const { return count[0] * count[1] * count[2] * count[3]; }
  [[nodiscard]] std::size_t chunk_bytes() const;
  [[nodiscard]] std::size_t array_bytes() const;
  /// Number of the chunk at position `at` among the chunks.
  [[nodiscard]] std::int64_t index_of(const Index4& at) const {
    return ((at[0] * count[1] + at[1]) * count[2] + at[2]) * count[3] + at[3];
  }
  /// Where chunk number `index` starts in the array.
  [[nodiscard]] Index4 origin(std::int64_t index) const;
  /// The part of chunk `index` that lies inside the array.
  [[nodiscard]] Index4 extent(std::int64_t index) const;
};

/// Throws ShapeError "WHERE: …" when the shape has not 1…4 axes, an axis below 1, a chunk outside
/// 1…axis, or more bytes than can be addressed or than Blosc takes in one chunk.
ChunkGrid make_chunk_grid(const ArrayShape& shape, const std::string& where);

/// Four axes from up to four; missing leading ones are `fill`.
Index4 to_index4(std::span<const std::int64_t> values, std::int64_t fill);

/// What the chunk at position `at` and a box share, seen from both.
struct Overlap {
  Index4 in_chunk;
  Index4 in_box;
  Index4 extent;
};
Overlap overlap_of(const ChunkGrid& grid, const Index4& at, const Box4& box);

/// Calls body(at) for every position from `first` to `last`, both included.
template <class Body>
void for_each_index(const Index4& first, const Index4& last, const Body& body) {
  Index4 at{};
  for (at[0] = first[0]; at[0] <= last[0]; ++at[0]) {
    for (at[1] = first[1]; at[1] <= last[1]; ++at[1]) {
      for (at[2] = first[2]; at[2] <= last[2]; ++at[2]) {
        for (at[3] = first[3]; at[3] <= last[3]; ++at[3]) {
          body(at);
        }
      }
    }
  }
}

/// Copies a block of `extent` elements from one dense array to another.
void copy_block(std::span<const std::byte> from, const Block& source, std::span<std::byte> to,
                const Block& target, const Index4& extent, std::size_t element_bytes);

}  // namespace hepar
