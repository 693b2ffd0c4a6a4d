#pragma once
#include <hepar/image/image.h>

namespace hepar {

/// The grid of cubic voxels that IMR's staging code samples (staging.md §0): the same origin and
/// axes, trunc(size · spacing / edge) voxels an axis, at least 1.
Grid isotropic_grid(const Grid& grid, double edge_mm);

/// `image` sampled at the voxel centres of `target`, in patient coordinates, linearly; 0 outside of
/// it.
Image<float> regrid_linear(const Image<float>& image, const Grid& target, int threads);

/// The same for labels, nearest neighbour.
LabelImage regrid_nearest(const LabelImage& labels, const Grid& target, int threads);

}  // namespace hepar
