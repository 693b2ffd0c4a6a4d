#include "target_grid.h"

#include <hepar/core/error.h>
#include <hepar/plan/statistics.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "reasons.h"

namespace hepar {

namespace {

constexpr double kAnisotropy = 3;  // nnU-Net's ANISO_THRESHOLD

// One entry a case; a request in plain numbers is one case of that spacing and size.
struct Cases {
  std::vector<SpacingMm> spacings;
  std::vector<SizeVox> sizes;
};

Cases cases_of(const PlanRequest& request) {
  Cases cases{request.spacings, request.sizes};
  if (cases.spacings.empty()) {
    cases = {{request.spacing}, {request.median_shape}};
  }
  for (std::size_t i = 0; i < cases.spacings.size(); ++i) {
    for (int axis = 0; axis < 3; ++axis) {
      const double spacing = cases.spacings[i][axis];
      require<ConfigError>(
          std::isfinite(spacing) && spacing > 0,
          "spacing: wanted three positive numbers (mm), found " + text_of(cases.spacings[i]));
      require<ConfigError>(
          cases.sizes[i][axis] >= 1,
          "shape: wanted three edges of at least 1 voxel, found " + text_of(cases.sizes[i]));
    }
  }
  return cases;
}

template <class Vectors>
double axis_percentile(const Vectors& vectors, int axis, double q) {
  std::vector<double> values;
  for (const auto& vector : vectors) {
    values.push_back(static_cast<double>(vector[axis]));
  }
  return percentile(values, q);
}

struct Others {
  int first, second;
};

Others others_of(int axis) { return {axis == 0 ? 1 : 0, axis == 2 ? 1 : 2}; }

int coarsest_axis(SpacingMm spacing) {
  int axis = 0;  // the first one among equals, as numpy.argmax
  for (int i = 1; i < 3; ++i) {
    axis = spacing[i] > spacing[axis] ? i : axis;
  }
  return axis;
}

struct Target {
  SpacingMm spacing;
  std::string reason;
};

Target median_target(const Cases& cases) {
  const std::string n = std::to_string(cases.spacings.size());
  Target target;
  target.reason = cases.spacings.size() == 1 ? "the spacing given"
                                             : "median of " + n + " spacings, axis by axis";
  MeanSizeVox size;
  for (int axis = 0; axis < 3; ++axis) {
    target.spacing[axis] = axis_percentile(cases.spacings, axis, 50);
    size[axis] = axis_percentile(cases.sizes, axis, 50);
  }
  const int coarse = coarsest_axis(target.spacing);
  const auto [a, b] = others_of(coarse);
  const double other_spacing = std::max(target.spacing[a], target.spacing[b]);
  const bool anisotropic = target.spacing[coarse] > kAnisotropy * other_spacing &&
                           size[coarse] * kAnisotropy < std::min(size[a], size[b]);
  if (!anisotropic || cases.spacings.size() == 1) {
    return target;
  }
  const double median = target.spacing[coarse];
  double finer = axis_percentile(cases.spacings, coarse, 10);
  if (finer < other_spacing) {
    finer = other_spacing + 1e-5;
  }
  target.spacing[coarse] = finer;
  target.reason += "; along the coarsest axis the 10th percentile, " + text_of(finer) +
                   " mm, in place of " + text_of(median) +
                   " mm: that axis is over 3 times coarser and 3 times shorter than the others";
  return target;
}

}  // namespace

TargetGrid target_grid(const PlanRequest& request) {
  const Cases cases = cases_of(request);
  Target target = median_target(cases);
  if (request.overrides.target_spacing) {
    target = {*request.overrides.target_spacing, "set by the user"};
    for (int axis = 0; axis < 3; ++axis) {
      require<ConfigError>(
          std::isfinite(target.spacing[axis]) && target.spacing[axis] > 0,
          "target_spacing: wanted three positive numbers (mm), found " + text_of(target.spacing));
    }
  }
  const int coarse = coarsest_axis(target.spacing);
  const auto [a, b] = others_of(coarse);
  TargetGrid grid;
  grid.transpose = {coarse, a, b};
  grid.spacing_reason = target.reason;
  grid.dataset_voxels = static_cast<double>(request.cases);
  for (int i = 0; i < 3; ++i) {
    const int axis = grid.transpose[i];
    grid.spacing[i] = target.spacing[axis];
    std::vector<double> resampled;
    for (std::size_t c = 0; c < cases.sizes.size(); ++c) {
      const double ratio = cases.spacings[c][axis] / target.spacing[axis];
      resampled.push_back(round_half_even(ratio * static_cast<double>(cases.sizes[c][axis])));
    }
    grid.median[i] = std::max(1.0, percentile(resampled, 50));
    grid.dataset_voxels *= grid.median[i];
  }
  return grid;
}

}  // namespace hepar
