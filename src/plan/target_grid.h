#pragma once
#include <hepar/plan/planner.h>
#include <hepar/plan/topology.h>

#include <array>
#include <string>

namespace hepar {

/// The spacing cases are resampled to and the axis order of the plan (segmentation.md §1.3). All
/// but `transpose` is in plan order.
struct TargetGrid {
  SpacingMm spacing;
  MeanSizeVox median;  ///< of the resampled sizes
  std::array<int, 3> transpose{0, 1, 2};
  double dataset_voxels = 0;   ///< median size times cases
  std::string spacing_reason;  ///< why this spacing
};

/// Throws ConfigError when there is nothing to plan from or a spacing or size is not positive.
TargetGrid target_grid(const PlanRequest& request);

}  // namespace hepar
