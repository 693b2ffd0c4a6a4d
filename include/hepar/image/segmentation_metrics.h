#pragma once
#include <hepar/core/geometry.h>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hepar {

/// The scores of one mask pair. A distance that is not defined is empty, with the reason.
struct MaskScores {
  double dsc = 0;
  std::optional<double> hd_mm, hd95_mm, assd_mm;
  std::optional<double> hd95_pooled_mm;  ///< medpy's convention: percentile of the pooled distances
  bool both_empty = false;
  std::string
      undefined_reason;  ///< "prediction empty", "reference empty"; empty when all are defined
};

/// Surface sets and HD95 by MONAI's convention (segmentation.md §5): surface = voxels removed by
/// one 6-neighbour erosion (outside of the image counts as background); HD95 = the larger of the
/// two directions' 95th percentiles with linear interpolation; HD the maximum; ASSD the mean over
/// both surfaces pooled. Both masks empty: DSC 1, HD 0, flagged. One empty: DSC 0, distances
/// undefined.
MaskScores score_masks(std::span<const std::uint8_t> prediction,
                       std::span<const std::uint8_t> reference, SizeVox size, SpacingMm spacing);

/// Surface voxels of a mask, as linear indices.
std::vector<std::int64_t> surface_voxels(std::span<const std::uint8_t> mask, SizeVox size);

/// Distances in mm from every surface voxel of `from` to the nearest surface voxel of `to` (exact
/// Euclidean).
std::vector<double> surface_distances(std::span<const std::uint8_t> from,
                                      std::span<const std::uint8_t> to, SizeVox size,
                                      SpacingMm spacing);

}  // namespace hepar
