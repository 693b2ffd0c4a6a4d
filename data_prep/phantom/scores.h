#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "hepar/core/geometry.h"

namespace hepar::phantom {

/// A score for every patient, and whether the patient is positive.
struct ScoredPatients {
  std::vector<double> score;
  std::vector<bool> positive;
};

/// Area under the ROC curve with mid-ranks for ties; NaN when a class is absent.
double auc(const ScoredPatients& patients);
/// Standard error of the AUC of a score that tells nothing: sqrt((n+ + n− + 1) / (12 n+ n−)).
double chance_standard_error(const ScoredPatients& patients);

/// Dice of the best possible "one threshold, then the largest component": over every threshold of
/// this image, in both directions, 26-connected. The truth chooses the threshold, so no threshold
/// method can do better.
double best_threshold_dice(std::span<const std::int16_t> voxels, std::span<const std::uint8_t> mask,
                           SizeVox size);

/// What a reader without any network could take from an image inside a mask.
struct RegionStatistics {
  double mean = 0;
  double sd = 0;
  double neighbours = 0;  ///< how much smoother neighbours are than voxels four apart
  double volume_ml = 0;
  double box_ml = 0;  ///< of the mask's bounding box
  double box_mean = 0;
  double box_sd = 0;
  double compactness = 0;  ///< outer voxel faces / voxels^(2/3): the roughness of the mask
};
RegionStatistics region_statistics(std::span<const std::int16_t> voxels,
                                   std::span<const std::uint8_t> mask, const Grid& grid);

}  // namespace hepar::phantom
