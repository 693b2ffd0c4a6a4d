#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/core/error.h>
#include <hepar/io/prepared_set.h>
#include <hepar/plan/plan.h>
#include <hepar/train/train_config.h>
#include <string>
#include <vector>

namespace hepar {

/// How a training ended.
struct TrainOutcome {
  ExitCode code = ExitCode::kDone;  ///< kDone or kResumable
  std::int64_t steps_done = 0;
  std::string weights_hash;
};

/// The cases a fold trains on and the ones it holds out, as indices into the prepared set. Whole
/// patients; the same for any rank count. Throws ConfigError when either part has no labelled case.
struct FoldCases {
  std::vector<std::size_t> training, validation;
};
FoldCases fold_cases(const PreparedSet& set, const DataConfig& data);

/// Trains a segmentation network, or continues the run in config.out. Writes the run folder of
/// DESIGN §8. Collective.
TrainOutcome train_segmentation(const TrainConfig& config, Communicator& communicator);

}  // namespace hepar
