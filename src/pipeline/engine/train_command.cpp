#include "hepar/pipeline/train_command.h"

#include <chrono>

#include "hepar/core/files.h"
#include "hepar/core/json.h"
#include "hepar/core/log.h"
#include "hepar/train/segmentation_trainer.h"
#include "hepar/train/staging_trainer.h"

namespace hepar {
namespace {

struct Outcome {
  ExitCode code = ExitCode::kFailure;
  std::int64_t steps_done = 0;
  std::string weights_hash, message;
};

void write_outcome(const TrainConfig& config, const Outcome& outcome, double wall_s) {
  std::error_code ignored;
  if (!fs::is_directory(config.out, ignored)) {
    return;  // the run never got as far as having a folder
  }
  write_json(fs::path(config.out) / "outcome.json", {{"exit_code", static_cast<int>(outcome.code)},
                                                     {"steps", config.train.steps},
                                                     {"steps_done", outcome.steps_done},
                                                     {"weights_xxh64", outcome.weights_hash},
                                                     {"wall_s", wall_s},
                                                     {"message", outcome.message}});
}

}  // namespace

ExitCode run_train_command(const TrainConfig& config, bool dry_run, Communicator& communicator) {
  require<ConfigError>(!config.out.empty(), "out: a run folder is needed (--out DIR)");
  require<ConfigError>(!config.data.path.empty(),
                       "data.path: a prepared set is needed (--set data.path=DIR)");
  if (dry_run) {
    TrainConfig shown = config;
    ConfigSchema schema;
    shown.declare(schema);
    if (communicator.is_root()) {
      log::print(schema.to_yaml());
    }
    return ExitCode::kDone;
  }
  const auto start = std::chrono::steady_clock::now();
  const auto wall = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  try {
    const TrainOutcome done = config.task == "staging" ? train_staging(config, communicator)
                                                       : train_segmentation(config, communicator);
    if (communicator.is_root()) {
      const bool stopped = done.code == ExitCode::kResumable;
      write_outcome(config,
                    {.code = done.code,
                     .steps_done = done.steps_done,
                     .weights_hash = done.weights_hash,
                     .message = stopped ? "stopped on request" : "done"},
                    wall());
      log::info((stopped ? "stopped at step " : "trained ") + std::to_string(done.steps_done) +
                " of " + std::to_string(config.train.steps) + " steps, weights " +
                done.weights_hash + ", in " + config.out);
    }
    return done.code;
  } catch (const std::exception& e) {
    const auto* known = dynamic_cast<const Error*>(&e);
    const ExitCode code = known != nullptr ? known->code() : ExitCode::kFailure;
    // The folder is not this run's: a successor fenced it, or it holds a run of another
    // configuration.
    const bool foreign = code == ExitCode::kCommunication || code == ExitCode::kUsage;
    // A rank that fails alone ends the whole job before rank 0 hears of it: it writes itself.
    const bool alone = dynamic_cast<const AgreedError*>(&e) == nullptr;
    if ((communicator.is_root() || alone) && !foreign) {
      write_outcome(
          config, {.code = code, .steps_done = 0, .weights_hash = "", .message = e.what()}, wall());
    }
    throw;
  }
}

}  // namespace hepar
