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
  std::string experiment;  ///< the file, or the folder of an experiment that was planned
  std::string out;         ///< folder of the experiment; empty: runs/<its name>
  std::int64_t ranks_per_trial = 0;
  bool retry_failed = false;
  bool accept_changes = false;
  /// "ID,ID,…" or "@FILE" (an id a line): these only, beside other runs of the same experiment.
  std::string trials;
  double inputs_wait_s = 0;
  bool json = false;
  std::vector<std::string> overrides;  ///< of the file: --set axes.…, values.…, stages.…
  void declare(ConfigSchema& schema);
};

/// What follows `hepar run` or `hepar submit`: the file may come without a flag, and each `--set`
/// is an override of the experiment, appended to `overrides`. Returns the rest, for parse_command.
std::vector<std::string> take_overrides(const std::vector<std::string>& arguments,
                                        std::vector<std::string>& overrides);

/// All commands a stage may run.
std::vector<StageKind> stage_kinds();

/// Runs what is not done, in groups of ranks; rank 0 prints a summary and writes the report.
/// kDone when every trial is done, kFailure when some failed, kResumable when a stop was asked for.
/// With `trials`, those alone count, there is no report, and any number of such runs may work in
/// one folder; throws ConfigError when something that they read is not done. Collective.
ExitCode run_experiment(const RunExperimentConfig& config, bool dry_run, Communicator& world);

}  // namespace hepar
