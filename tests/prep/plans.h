#pragma once
#include <string>
#include <vector>

#include "hepar/comm/communicator.h"
#include "hepar/plan/plan.h"
#include "hepar/prep/prepare.h"

namespace hepar::test {

/// A plan with a two-stage network for tiny images.
inline Plan small_plan(const std::vector<std::string>& channels) {
  Plan plan;
  plan.spacing_mm = {2, 2.5, 1.5};
  plan.median_shape = {6, 6, 6};
  plan.patch_size = {4, 4, 4};
  plan.strides = {{1, 1, 1}, {2, 2, 2}};
  plan.kernels = {{3, 3, 3}, {3, 3, 3}};
  plan.features = {4, 8};
  plan.blocks_per_stage = {2, 2};
  plan.convs_per_decoder_level = {2};
  plan.channels = channels;
  plan.normalization.resize(channels.size());
  plan.classes = {"background", "liver"};
  return plan;
}

/// prepare() by one rank.
inline void prepare_alone(const PrepareConfig& config) {
  Communicator self = Communicator::self();
  prepare(config, self);
}

}  // namespace hepar::test
