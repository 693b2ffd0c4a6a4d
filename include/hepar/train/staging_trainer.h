#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/data/case_list.h>
#include <hepar/nn/staging_network.h>
#include <hepar/train/train_config.h>
#include <hepar/train/training_outcome.h>

#include <cstddef>

namespace hepar {

/// Trains a staging network on the volumes of interest of data.path (`hepar voi`), or continues the
/// run in config.out. One sample is one sequence with its patient's stage; the mask is the second
/// channel. Writes the run folder of DESIGN §8. Collective.
TrainOutcome train_staging(const TrainConfig& config, Communicator& communicator);

/// A volume as the network sees it: image [1, C + 1, z, y, x] with the mask as the last channel.
at::Tensor voi_tensor(const CaseList& cases, std::size_t index);

}  // namespace hepar
