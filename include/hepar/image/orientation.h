#pragma once
#include <hepar/image/image.h>
#include <array>

namespace hepar {

/// Which source axis becomes each target axis (z, y, x) and whether it is reversed. Exact: voxels
/// are moved, never interpolated.
struct Reorientation {
  std::array<int, 3> source_axis{0, 1, 2};
  std::array<bool, 3> flipped{false, false, false};
  friend bool operator==(const Reorientation&, const Reorientation&) = default;
};

/// The reorientation that brings `grid` closest to canonical RAS+: x to the right, y to anterior, z
/// to superior (nibabel's as_closest_canonical; each source axis is used once).
Reorientation to_canonical(const Grid& grid);

/// The reorientation that undoes `forward`.
Reorientation inverse(const Reorientation& forward);

Grid reorient(const Grid& grid, const Reorientation& how);
template <class T>
Image<T> reorient(const Image<T>& image, const Reorientation& how);  // float, int16, uint8
StoredImage reorient(const StoredImage& image, const Reorientation& how);

/// Permutation of axes alone, for the plan's transpose: result axis i is source axis order[i].
Reorientation transposition(std::array<int, 3> order);

}  // namespace hepar
