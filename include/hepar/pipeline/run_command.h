#pragma once
#include <hepar/core/config.h>
#include <hepar/core/error.h>
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/experiment_choice.h>
#include <hepar/pipeline/time_limit.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

class Communicator;

/// `hepar run EXP.yaml`.
struct RunExperimentConfig : ExperimentChoice {
  std::int64_t ranks_per_trial = 0;
  /// "ID,ID,…" or "@FILE" (an id a line): these only, beside other runs of the same experiment.
  std::string trials;
  double inputs_wait_s = 0;
  TimeLimit::Options limit;
  bool json = false;
  void declare(ConfigSchema& schema);
};

/// All commands a stage may run.
std::vector<StageKind> stage_kinds();

/// Runs what is not done, in groups of ranks; rank 0 prints a summary and writes the report.
/// kDone when every trial is done, kFailure when some failed, kResumable when a stop was asked for
/// or the time limit left something undone.
/// With `trials`, those alone count, there is no report, and any number of such runs may work in
/// one folder; throws ConfigError when something that they read is not done. Collective.
ExitCode run_experiment(const RunExperimentConfig& config, bool dry_run, Communicator& world);

}  // namespace hepar
