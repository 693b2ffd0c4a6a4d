#include "sets/prepared_grid.h"

#include "hepar/image/orientation.h"

namespace hepar {

Grid prepared_grid(const PreparedCase& record) {
  const Grid turned = reorient(record.canonical, transposition(record.transpose));
  Grid grid = turned;
  grid.size = record.size;
  std::array<double, 3> first{};  // of prepared voxel 0, in voxels of the transposed image
  for (int axis = 0; axis < 3; ++axis) {
    const auto cropped = static_cast<double>(record.crop.size[axis]);
    const double step = cropped / static_cast<double>(record.size[axis]);
    grid.spacing[axis] = turned.spacing[axis] * step;
    first[static_cast<std::size_t>(axis)] =
        static_cast<double>(record.crop.start[axis]) + 0.5 * step - 0.5;
  }
  grid.origin = to_world(turned, first[0], first[1], first[2]);
  return grid;
}

}  // namespace hepar
