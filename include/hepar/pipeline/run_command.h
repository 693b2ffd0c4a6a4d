#pragma once
#include <hepar/core/config.h>
#include <hepar/core/error.h>
#include <hepar/pipeline/experiment.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

class Communicator;

/// `hepar run EXP.yaml`.
struct RunExperimentConfig {
  std::string experiment;  ///< the file
  std::string out;         ///< folder of the experiment; empty: runs/<its name>
  std::int64_t ranks_per_trial = 0;
  bool retry_failed = false;
  bool accept_changes = false;
  std::vector<std::string> overrides;  ///< of the file: --set axes.…, values.…, stages.…
  void declare(ConfigSchema& schema);
};

/// What follows `hepar run`: the file may come without a flag, and each `--set` is an override of
/// the experiment. The rest is for parse_command. Fills `config.overrides`.
std::vector<std::string> take_overrides(const std::vector<std::string>& arguments,
                                        RunExperimentConfig& config);

/// All commands a stage may run.
std::vector<StageKind> stage_kinds();

/// Runs what is not done, in groups of ranks; rank 0 prints a summary and writes the report.
/// kDone when every trial is done, kFailure when some failed, kResumable when a stop was asked for.
/// Collective.
ExitCode run_experiment(const RunExperimentConfig& config, bool dry_run, Communicator& world);

}  // namespace hepar
