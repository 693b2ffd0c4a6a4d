#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace hepar {

/// Three numbers in array order (z, y, x): z varies slowest in memory. The tag keeps millimetres,
/// voxels and offsets apart, so that swapped arguments do not compile.
template <class Tag, class T>
struct Vec3 {
  using value_type = T;
  T z{}, y{}, x{};

  constexpr T& operator[](int axis) { return axis == 0 ? z : (axis == 1 ? y : x); }
  constexpr const T& operator[](int axis) const { return axis == 0 ? z : (axis == 1 ? y : x); }
  friend constexpr bool operator==(const Vec3&, const Vec3&) = default;
};

using SpacingMm = Vec3<struct SpacingTag, double>;       ///< distance of voxel centres, mm
using ExtentMm = Vec3<struct ExtentTag, double>;         ///< size of a box, mm
using SizeVox = Vec3<struct SizeTag, std::int64_t>;      ///< number of voxels
using OffsetVox = Vec3<struct OffsetTag, std::int64_t>;  ///< position in voxels; may be negative

/// Number of voxels of a box.
constexpr std::int64_t count(SizeVox size) { return size.z * size.y * size.x; }

/// Edge lengths of a box of `size` voxels.
constexpr ExtentMm extent(SizeVox size, SpacingMm spacing) {
  return {static_cast<double>(size.z) * spacing.z, static_cast<double>(size.y) * spacing.y,
          static_cast<double>(size.x) * spacing.x};
}

/// Linear index of voxel (z, y, x) in a dense array of `size`.
constexpr std::int64_t linear_index(SizeVox size, OffsetVox at) {
  return (at.z * size.y + at.y) * size.x + at.x;
}

/// A box of voxels: `size` voxels from `start`, end exclusive.
struct BoxVox {
  OffsetVox start;
  SizeVox size;
  friend constexpr bool operator==(const BoxVox&, const BoxVox&) = default;
};

/// A point or vector of patient space in mm: right, anterior, superior (RAS+, NIfTI's convention).
struct WorldMm {
  double r{}, a{}, s{};
  friend constexpr bool operator==(const WorldMm&, const WorldMm&) = default;
};

/// Where a voxel grid sits in the patient: the centre of voxel (z, y, x) is
/// origin + z·spacing.z·axis[0] + y·spacing.y·axis[1] + x·spacing.x·axis[2].
struct Grid {
  SizeVox size;
  SpacingMm spacing{1, 1, 1};
  WorldMm origin;                                                  ///< centre of voxel (0, 0, 0)
  std::array<WorldMm, 3> axis{{{0, 0, 1}, {0, 1, 0}, {1, 0, 0}}};  ///< unit vectors of z, y, x
  friend bool operator==(const Grid&, const Grid&) = default;
};

/// Patient position of the (possibly fractional) voxel index (z, y, x) of `grid`, mm.
inline WorldMm to_world(const Grid& grid, double z, double y, double x) {
  const std::array<double, 3> step{z * grid.spacing.z, y * grid.spacing.y, x * grid.spacing.x};
  WorldMm point = grid.origin;
  for (int i = 0; i < 3; ++i) {
    point.r += step[i] * grid.axis[i].r;
    point.a += step[i] * grid.axis[i].a;
    point.s += step[i] * grid.axis[i].s;
  }
  return point;
}

/// True when two grids place every voxel at the same point to within `tolerance_mm`; compares the
/// positions of the eight corners, so a small angle counts by what it moves.
inline bool same_grid(const Grid& a, const Grid& b, double tolerance_mm = 0.01) {
  if (a.size != b.size) {
    return false;
  }
  for (int corner = 0; corner < 8; ++corner) {
    const double z = (corner & 4) != 0 ? static_cast<double>(a.size.z - 1) : 0.0;
    const double y = (corner & 2) != 0 ? static_cast<double>(a.size.y - 1) : 0.0;
    const double x = (corner & 1) != 0 ? static_cast<double>(a.size.x - 1) : 0.0;
    const WorldMm p = to_world(a, z, y, x);
    const WorldMm q = to_world(b, z, y, x);
    if (std::hypot(p.r - q.r, p.a - q.a, p.s - q.s) > tolerance_mm) {
      return false;
    }
  }
  return true;
}

}  // namespace hepar
