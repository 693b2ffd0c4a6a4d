#pragma once
#include <hepar/pipeline/cost_keys.h>
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/step_cost.h>
#include <hepar/pipeline/trial_store.h>

#include <filesystem>
#include <string>
#include <vector>

namespace hepar {

/// A trial that was done, and what it cost.
struct MeasuredTrial {
  Trial trial = {};
  std::string folder = {};  ///< of its experiment
  CostKeys keys = {};
  TrialCost cost = {};
  double started_s = 0;  ///< seconds since 1970, whole
  bool on_gpu = false;
  double output_bytes = 0;      ///< of its results
  double checkpoint_bytes = 0;  ///< of one checkpoint of a training
  TrainingCost training = {};   ///< of a training
};

/// Trials of an experiment's folder that are done, with their costs. Throws ConfigError when there
/// is no experiment.
std::vector<MeasuredTrial> read_measured(const std::filesystem::path& folder);

/// Checkpoints that a training writes: one every `every` steps and one at its end.
std::int64_t checkpoints_of(const Trial& trial);

/// A key of a trial's configuration, or `otherwise`.
std::string setting(const Trial& trial, const std::string& key, const std::string& otherwise);

}  // namespace hepar
