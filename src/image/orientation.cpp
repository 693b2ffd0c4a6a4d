#include "hepar/image/orientation.h"

#include <algorithm>
#include <cmath>

#include "hepar/core/error.h"

namespace hepar {
namespace {

double component(const WorldMm& v, int world) {
  return world == 0 ? v.r : (world == 1 ? v.a : v.s);
}

/// Target axis z points to superior, y to anterior, x to right: world component 2 − axis.
int target_of_world(int world) { return 2 - world; }

/// Source index of the target's voxel 0, and the step through the source's memory along each target
/// axis, in voxels.
struct Walk {
  std::int64_t start = 0;
  std::array<std::int64_t, 3> step{};
  SizeVox size;
};

Walk walk_through(SizeVox source, const Reorientation& how) {
  const std::array<std::int64_t, 3> stride{source.y * source.x, source.x, 1};
  Walk walk;
  for (int axis = 0; axis < 3; ++axis) {
    const int from = how.source_axis[axis];
    walk.size[axis] = source[from];
    walk.step[axis] = how.flipped[axis] ? -stride[from] : stride[from];
    walk.start += how.flipped[axis] ? (source[from] - 1) * stride[from] : 0;
  }
  return walk;
}

/// `Unit` is any trivial type of the voxel's size: voxels are moved, never interpreted.
template <class Unit>
void move_voxels(const Unit* from, Unit* to, const Walk& walk) {
  for (std::int64_t z = 0; z < walk.size.z; ++z) {
    for (std::int64_t y = 0; y < walk.size.y; ++y) {
      const Unit* row = from + walk.start + z * walk.step[0] + y * walk.step[1];
      if (walk.step[2] == 1) {
        to = std::copy(row, row + walk.size.x, to);
        continue;
      }
      for (std::int64_t x = 0; x < walk.size.x; ++x) {
        *to++ = row[x * walk.step[2]];
      }
    }
  }
}

void require_permutation(const Reorientation& how) {
  std::array<int, 3> axes = how.source_axis;
  std::sort(axes.begin(), axes.end());
  require<ShapeError>(axes == std::array<int, 3>{0, 1, 2},
                      "reorient: wanted each of the axes 0, 1, 2 once, found " +
                          std::to_string(how.source_axis[0]) + ", " +
                          std::to_string(how.source_axis[1]) + ", " +
                          std::to_string(how.source_axis[2]));
}

void require_filled(SizeVox size, std::size_t voxels) {
  require<ShapeError>(static_cast<std::size_t>(count(size)) == voxels,
                      "reorient: wanted " + std::to_string(count(size)) + " voxels, found " +
                          std::to_string(voxels));
}

}  // namespace

Reorientation to_canonical(const Grid& grid) {
  // nibabel's rule: source axes from the most to the least decided, each taking the world axis it
  // moves along most among those still free. A stable order keeps ties in file order (x, y, z). Our
  // axes are orthonormal to 1e-3, so nibabel's polar decomposition before this is left out.
  std::array<double, 3> strength{};
  for (int axis = 0; axis < 3; ++axis) {
    for (int world = 0; world < 3; ++world) {
      strength[axis] = std::max(strength[axis], std::abs(component(grid.axis[axis], world)));
    }
  }
  std::array<int, 3> order{2, 1, 0};
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return strength[a] > strength[b]; });
  std::array<bool, 3> taken{};
  Reorientation how;
  for (const int axis : order) {
    int best = -1;
    for (int world = 0; world < 3; ++world) {
      const bool better = best < 0 || std::abs(component(grid.axis[axis], world)) >
                                          std::abs(component(grid.axis[axis], best));
      best = !taken[world] && better ? world : best;
    }
    taken[best] = true;
    how.source_axis[target_of_world(best)] = axis;
    how.flipped[target_of_world(best)] = component(grid.axis[axis], best) < 0;
  }
  return how;
}

Reorientation inverse(const Reorientation& forward) {
  require_permutation(forward);
  Reorientation back;
  for (int axis = 0; axis < 3; ++axis) {
    back.source_axis[forward.source_axis[axis]] = axis;
    back.flipped[forward.source_axis[axis]] = forward.flipped[axis];
  }
  return back;
}

Grid reorient(const Grid& grid, const Reorientation& how) {
  require_permutation(how);
  Grid result;
  std::array<double, 3> first{};  // source index (z, y, x) of the result's voxel 0
  for (int axis = 0; axis < 3; ++axis) {
    const int from = how.source_axis[axis];
    result.size[axis] = grid.size[from];
    result.spacing[axis] = grid.spacing[from];
    const WorldMm& v = grid.axis[from];
    result.axis[axis] = how.flipped[axis] ? WorldMm{-v.r, -v.a, -v.s} : v;
    first[from] = how.flipped[axis] ? static_cast<double>(grid.size[from] - 1) : 0.0;
  }
  result.origin = to_world(grid, first[0], first[1], first[2]);
  return result;
}

template <class T>
Image<T> reorient(const Image<T>& image, const Reorientation& how) {
  require_filled(image.grid.size, image.voxels.size());
  Image<T> result{reorient(image.grid, how), std::vector<T>(image.voxels.size())};
  move_voxels(image.voxels.data(), result.voxels.data(), walk_through(image.grid.size, how));
  return result;
}

template Image<float> reorient(const Image<float>&, const Reorientation&);
template Image<std::int16_t> reorient(const Image<std::int16_t>&, const Reorientation&);
template Image<std::uint8_t> reorient(const Image<std::uint8_t>&, const Reorientation&);

StoredImage reorient(const StoredImage& image, const Reorientation& how) {
  const std::size_t bytes = bytes_per_voxel(image.type);
  require_filled(image.grid.size, image.voxels.size() / bytes);
  StoredImage result{.grid = reorient(image.grid, how),
                     .type = image.type,
                     .slope = image.slope,
                     .intercept = image.intercept,
                     .voxels = std::vector<std::byte>(image.voxels.size()),
                     .notes = image.notes};
  const Walk walk = walk_through(image.grid.size, how);
  with_voxel_type(image.type, [&](auto zero) {
    using T = decltype(zero);
    move_voxels(reinterpret_cast<const T*>(image.voxels.data()),
                reinterpret_cast<T*>(result.voxels.data()), walk);
  });
  return result;
}

Reorientation transposition(std::array<int, 3> order) {
  const Reorientation how{.source_axis = order};
  require_permutation(how);
  return how;
}

}  // namespace hepar
