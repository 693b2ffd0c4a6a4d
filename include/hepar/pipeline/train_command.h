#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/core/error.h>
#include <hepar/train/train_config.h>

namespace hepar {

/// `hepar train`: trains or continues the run in config.out; rank 0 leaves OUT/outcome.json
/// {exit_code, steps, steps_done, weights_xxh64, wall_s, message}, from which launch/ takes the
/// exit code. Collective.
ExitCode run_train_command(const TrainConfig& config, bool dry_run, Communicator& communicator);

}  // namespace hepar
