#pragma once
#include <array>

#include "hepar/core/random.h"
#include "hepar/data/augmentation.h"
#include "hepar/data/patch.h"

namespace hepar {

/// What was drawn for the geometry of one patch.
struct SpatialDraw {
  bool apply = false;              ///< false: a centre crop does
  bool planar = false;             ///< rotate and scale y and x only
  std::array<double, 3> angles{};  ///< about z, y, x, radians; planar: the last only
  double scale = 1;                ///< above 1 samples wider: objects shrink
};
SpatialDraw draw_spatial(const AugmentationConfig& config, bool planar, RandomStream& random);

/// Rows of Rz·Ry·Rx·scale in the order (z, y, x); planar: identity in z. Source voxel = matrix ·
/// target voxel, both counted from their grid's centre.
std::array<std::array<double, 3>, 3> sampling_matrix(const SpatialDraw& draw);

/// Resamples `source` onto a grid of `size` about the common centre in one pass: image trilinear
/// with 0 outside, labels by the largest trilinear weight with −1 outside (ties: the nearest
/// voxel's label).
Patch resample_patch(const Patch& source, SizeVox size, const SpatialDraw& draw);

/// Voxels [size/2 − target/2, …) of `source`; 0 and −1 where that leaves it.
Patch crop_patch(const Patch& source, SizeVox target);

}  // namespace hepar
