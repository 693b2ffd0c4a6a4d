#pragma once
#include <hepar/core/geometry.h>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace hepar::detail {

/// 1 where a channel is not zero, and in holes: background that no path of 6-neighbours joins to
/// the border of the image. Channels are spans of count(size) voxels.
std::vector<std::uint8_t> nonzero_region(const std::vector<std::span<const float>>& channels,
                                         SizeVox size);

/// Bounding box of the voxels that are set; the whole image when none is.
BoxVox box_of(const std::vector<std::uint8_t>& mask, SizeVox size);

/// Result axis i is source axis order[i].
template <class V>
V permuted(const V& v, std::array<int, 3> order) {
  return V{v[order[0]], v[order[1]], v[order[2]]};
}
inline BoxVox permuted(const BoxVox& box, std::array<int, 3> order) {
  return {permuted(box.start, order), permuted(box.size, order)};
}

/// A box of an array as it looks after its axes were permuted: calls row(source, step, target) for
/// every row of the box, where the row's voxels are source, source + step, … in the array and
/// target, target + 1, … in the box. `box` is in permuted order, `size` is the array's own.
template <class Row>
void for_each_row(SizeVox size, std::array<int, 3> order, const BoxVox& box, Row&& row) {
  const SizeVox strides = permuted(SizeVox{size.y * size.x, size.x, 1}, order);
  std::int64_t target = 0;
  for (std::int64_t z = box.start.z; z < box.start.z + box.size.z; ++z) {
    for (std::int64_t y = box.start.y; y < box.start.y + box.size.y; ++y) {
      row(z * strides.z + y * strides.y + box.start.x * strides.x, strides.x, target);
      target += box.size.x;
    }
  }
}

/// Transpose and crop in one copy.
template <class T>
std::vector<T> cut(std::span<const T> voxels, SizeVox size, std::array<int, 3> order,
                   const BoxVox& box) {
  std::vector<T> out(static_cast<std::size_t>(count(box.size)));
  for_each_row(size, order, box, [&](std::int64_t source, std::int64_t step, std::int64_t target) {
    const T* from = voxels.data() + source;
    T* to = out.data() + target;
    for (std::int64_t x = 0; x < box.size.x; ++x) {
      to[x] = from[x * step];
    }
  });
  return out;
}

}  // namespace hepar::detail
