#pragma once
#include <hepar/core/geometry.h>
#include <hepar/core/voxel_type.h>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

/// Voxels on a grid; memory order (z, y, x), x fastest. `voxels.size() == count(grid.size)`.
template <class T>
struct Image {
  Grid grid;
  std::vector<T> voxels;
};

/// Labels: 0 background, −1 "outside the non-zero region" (nnU-Net) or ignored.
using LabelImage = Image<std::int16_t>;

/// An image exactly as its file stores it: real value = stored · slope + intercept.
struct StoredImage {
  Grid grid;
  VoxelType type = VoxelType::kInt16;
  double slope = 1;
  double intercept = 0;
  std::vector<std::byte> voxels;
  std::vector<std::string> notes;  ///< what was unusual but accepted ("4-D with a trailing 1")
};

/// Real values, slope and intercept applied (in double, then rounded to float). Throws DataError
/// "WHERE: voxel (z,y,x) is nan" when one is not finite.
Image<float> to_float(const StoredImage& image, const std::string& where);

/// Integer labels. Throws DataError when a value is not an integer or does not fit int16.
LabelImage to_labels(const StoredImage& image, const std::string& where);

/// The smallest of uint8, uint16, int16 that holds all labels, ready for write_nifti().
StoredImage from_labels(const LabelImage& labels);
StoredImage from_float(const Image<float>& image);

}  // namespace hepar
