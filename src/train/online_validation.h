#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/data/case_list.h>
#include <hepar/nn/unet.h>
#include <hepar/train/train_config.h>
#include <vector>

namespace hepar {

struct ValidationTask {
  const CaseList& list;
  const std::vector<std::size_t>& cases;
  const TrainConfig& config;
  const Plan& plan;
  std::int64_t ignore_label;  ///< −1: none
};

/// nnU-Net's "pseudo Dice": true and false positives and false negatives summed over random
/// unaugmented patches of held-out cases, one Dice per class (background left out; NaN-free: 0 when
/// a class is nowhere). Patches are shared by the ranks. Collective.
std::vector<double> online_validation(SegmentationNetwork& network, const ValidationTask& task,
                                      Communicator& communicator);

}  // namespace hepar
