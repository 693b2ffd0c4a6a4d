#pragma once
#include <hepar/plan/planner.h>
#include <hepar/plan/topology.h>

#include "target_grid.h"

namespace hepar {

/// How large a network a preset allows, and how it is built.
struct MemoryRule {
  std::string architecture;
  double reference = 0;  ///< activations of one sample that fill the preset's memory at batch 2
  double covered = 1;    ///< share of the training voxels that one batch may span
  std::int64_t base_features = 32;
  std::int64_t max_features = 320;
  std::int64_t classes = 2;
};
MemoryRule memory_rule(const PlanRequest& request);

/// A patch, the network for it, and what they cost.
struct NetworkFit {
  Topology topology;
  NetworkOutline outline;
  std::int64_t activations = 0;
  SizeVox first_patch;  ///< before it was reduced
  std::int64_t reductions = 0;
};

/// The network for a patch of about `patch` voxels (padded to what its strides divide). Throws
/// ConfigError when no axis can be halved.
NetworkFit outline_network(const MemoryRule& rule, SpacingMm spacing, MeanSizeVox patch);

/// The largest patch whose network stays within the reference (segmentation.md §1.7). Throws
/// ConfigError when not even the smallest does.
NetworkFit fit_network(const MemoryRule& rule, SpacingMm spacing, MeanSizeVox median);

struct BatchChoice {
  std::int64_t size = 2;
  std::int64_t by_memory = 2;
  std::int64_t by_coverage = 2;
};
BatchChoice choose_batch(const PlanRequest& request, const MemoryRule& rule, const TargetGrid& grid,
                         const NetworkFit& fit);

/// Whether nnU-Net would add a 3d_lowres configuration beside this one: its rule for batch Dice.
bool has_lowres_stage(const MemoryRule& rule, const TargetGrid& grid, SizeVox patch);

}  // namespace hepar
