#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/train/train_config.h>
#include <hepar/train/training_outcome.h>

namespace hepar {

/// Trains a segmentation network, or continues the run in config.out. Writes the run folder of
/// DESIGN §8. Collective.
TrainOutcome train_segmentation(const TrainConfig& config, Communicator& communicator);

}  // namespace hepar
