#include "network_fit.h"

#include <hepar/core/error.h>
#include <hepar/plan/statistics.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "reasons.h"

namespace hepar {

namespace {

constexpr std::int64_t kReferenceBatch = 2;
constexpr std::int64_t kMinBatch = 2;
constexpr double kLowresThreshold =
    0.25;  // patch / median voxels below which a lowres stage is tried
constexpr double kLowresStep = 1.03;
constexpr std::array<std::int64_t, 4> kResidualBlocks{1, 3, 4, 6};  // and 6 from there on

double voxels(MeanSizeVox size) { return size.z * size.y * size.x; }

MeanSizeVox as_mean(SizeVox size) {
  return {static_cast<double>(size.z), static_cast<double>(size.y), static_cast<double>(size.x)};
}

// A box of 256³ voxels that is a cube in mm, no side longer than the median shape.
MeanSizeVox initial_patch(SpacingMm spacing, MeanSizeVox median) {
  const std::array<double, 3> density{1 / spacing.z, 1 / spacing.y, 1 / spacing.x};
  const double scale =
      std::pow(256.0 * 256.0 * 256.0 / (density[0] * density[1] * density[2]), 1.0 / 3.0);
  MeanSizeVox patch;
  for (int axis = 0; axis < 3; ++axis) {
    patch[axis] = std::min(round_half_even(density[axis] * scale), median[axis]);
  }
  return patch;
}

// The axis along which the patch is largest against the median shape; the last one among equals.
int axis_to_reduce(SizeVox patch, MeanSizeVox median) {
  int worst = 0;
  for (int axis = 1; axis < 3; ++axis) {
    if (static_cast<double>(patch[axis]) / median[axis] >=
        static_cast<double>(patch[worst]) / median[worst]) {
      worst = axis;
    }
  }
  return worst;
}

// Taking the present divisor off could jump over valid sizes (64 off 256 misses 224), so the
// divisor that holds one step further down is taken off instead.
MeanSizeVox reduced_patch(const NetworkFit& fit, SpacingMm spacing, MeanSizeVox median) {
  const int axis = axis_to_reduce(fit.outline.patch_size, median);
  MeanSizeVox trial = as_mean(fit.outline.patch_size);
  trial[axis] -= static_cast<double>(fit.topology.divisor[axis]);
  const SizeVox divisor = pool_and_conv_props(spacing, trial).divisor;
  MeanSizeVox patch = as_mean(fit.outline.patch_size);
  patch[axis] -= static_cast<double>(divisor[axis]);
  return patch;
}

}  // namespace

MemoryRule memory_rule(const PlanRequest& request) {
  MemoryRule rule;
  switch (request.preset) {
    case PlanPreset::kPlain:
      rule = {.architecture = "plain", .reference = 560e6, .covered = 0.05};
      break;
    case PlanPreset::kResEncM:
      rule = {.architecture = "resenc", .reference = 680e6};
      break;
    case PlanPreset::kResEncL:
      rule = {.architecture = "resenc", .reference = 2.1e9};
      break;
    case PlanPreset::kResEncXL:
      rule = {.architecture = "resenc", .reference = 3.6e9};
      break;
  }
  rule.base_features = request.overrides.base_features.value_or(rule.base_features);
  rule.max_features = request.overrides.max_features.value_or(rule.max_features);
  rule.classes = static_cast<std::int64_t>(request.classes.size());
  return rule;
}

NetworkFit outline_network(const MemoryRule& rule, SpacingMm spacing, MeanSizeVox patch) {
  NetworkFit fit;
  fit.topology = pool_and_conv_props(spacing, patch);
  const std::size_t stages = fit.topology.strides.size();
  require<ConfigError>(stages >= 2,
                       "patch: a U-Net must halve it at least once, which needs two axes of 8 "
                       "voxels or one of 12; found " +
                           text_of(fit.topology.patch_size));
  fit.outline.architecture = rule.architecture;
  fit.outline.classes = rule.classes;
  fit.outline.patch_size = fit.topology.patch_size;
  fit.outline.strides = fit.topology.strides;
  const bool residual = rule.architecture == "resenc";
  std::int64_t features = std::min(rule.base_features, rule.max_features);
  for (std::size_t stage = 0; stage < stages; ++stage) {
    fit.outline.features.push_back(features);
    features = std::min(2 * features, rule.max_features);
    const std::size_t row = std::min(stage, kResidualBlocks.size() - 1);
    fit.outline.blocks_per_stage.push_back(residual ? kResidualBlocks[row] : 2);
  }
  fit.outline.convs_per_decoder_level.assign(stages - 1, residual ? 1 : 2);
  fit.activations = activation_count(fit.outline);
  fit.first_patch = fit.outline.patch_size;
  return fit;
}

NetworkFit fit_network(const MemoryRule& rule, SpacingMm spacing, MeanSizeVox median) {
  NetworkFit fit = outline_network(rule, spacing, initial_patch(spacing, median));
  const SizeVox first = fit.outline.patch_size;
  std::int64_t reductions = 0;
  while (static_cast<double>(fit.activations) > rule.reference) {
    const MeanSizeVox patch = reduced_patch(fit, spacing, median);
    require<ConfigError>(
        std::min({patch.z, patch.y, patch.x}) >= 1,
        "base_features: not even the smallest patch fits the preset's memory with " +
            std::to_string(rule.base_features) + " features; set fewer, or a patch");
    fit = outline_network(rule, spacing, patch);
    ++reductions;
  }
  fit.first_patch = first;
  fit.reductions = reductions;
  return fit;
}

BatchChoice choose_batch(const PlanRequest& request, const MemoryRule& rule, const TargetGrid& grid,
                         const NetworkFit& fit) {
  const auto whole = [](double value) { return static_cast<std::int64_t>(round_half_even(value)); };
  BatchChoice choice;
  choice.by_memory = whole(rule.reference / static_cast<double>(fit.activations) * kReferenceBatch);
  choice.by_coverage =
      whole(grid.dataset_voxels * rule.covered / voxels(as_mean(fit.outline.patch_size)));
  choice.size = request.overrides.batch_size.value_or(
      std::max(std::min(choice.by_memory, choice.by_coverage), kMinBatch));
  return choice;
}

bool has_lowres_stage(const MemoryRule& rule, const TargetGrid& grid, SizeVox patch) {
  const double full = voxels(grid.median);
  SpacingMm spacing = grid.spacing;
  double low = full;
  double patch_voxels = voxels(as_mean(patch));
  while (patch_voxels / low < kLowresThreshold) {
    const double coarsest = std::max({spacing.z, spacing.y, spacing.x});
    const bool similar = coarsest / std::min({spacing.z, spacing.y, spacing.x}) <= 2;
    MeanSizeVox median;
    low = 1;
    for (int axis = 0; axis < 3; ++axis) {
      spacing[axis] *= similar || coarsest / spacing[axis] > 2 ? kLowresStep : 1;
      const double size = grid.spacing[axis] / spacing[axis] * grid.median[axis];
      low *= size;
      median[axis] = std::max(1.0, round_half_even(size));
    }
    patch_voxels = voxels(as_mean(fit_network(rule, spacing, median).outline.patch_size));
  }
  return full / low >= 2;
}

}  // namespace hepar
