#pragma once
#include <hepar/core/config.h>
#include <hepar/pipeline/experiment_choice.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

/// `hepar plan-run EXP`: a zero chooses.
struct PlanRunConfig : ExperimentChoice {
  std::int64_t nodes = 1;
  std::int64_t ranks = 0;  ///< of a node
  std::int64_t gpus = 0;   ///< of a node
  std::int64_t ranks_per_trial = 0;
  std::vector<std::string> measured;  ///< folders of experiments that were run
  std::vector<std::string> network;   ///< files of `hepar doctor --json`
  std::string site;                   ///< empty: one allocation, as `hepar run` uses it
  double device_speedup = 0;
  bool json = false;
  void declare(ConfigSchema& schema);
};

/// Prints what the experiment would take, from its beginning, on what each figure rests, what is
/// not measured, and the model's error on the measured runs. Writes nothing. Throws ConfigError
/// when nothing was measured, and as Machine and read_network() do.
void run_plan_run_command(const PlanRunConfig& config, bool dry_run);

}  // namespace hepar
