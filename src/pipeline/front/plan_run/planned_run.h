#pragma once
#include <hepar/pipeline/estimate.h>
#include <hepar/pipeline/packing.h>
#include <hepar/pipeline/queue_plan.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plan_run/backtest.h"
#include "plan_run/machine.h"

namespace hepar::detail {

/// Measured with hundreds of trials on two groups (docs/experiments.md), and at requeues
/// (docs/slurm.md): assumed elsewhere.
inline constexpr double kTrialOverheadS = 0.1;
inline constexpr double kElementOverheadS = 2;

/// Sums over trials.
struct Amounts {
  int trials = 0;
  int not_measured = 0;
  double seconds = 0;
  double core_hours = 0, gpu_hours = 0;
  double written_bytes = 0, read_bytes = 0;
};

/// What an experiment would take.
struct PlannedRun {
  Machine machine = {};
  Experiment experiment = {};                      ///< with the trials that would run
  std::map<std::string, Estimate> estimates = {};  ///< by trial id
  std::map<std::string, double> read_bytes = {};
  std::map<std::string, Amounts> stages = {};
  Amounts all = {};
  Packing packing = {};
  std::optional<QueuePlan> queue = {};  ///< through Slurm
  Backtest error = {};
  std::vector<std::string> assumptions = {};
};

struct PlanRunRequest {
  const Experiment& experiment;
  const std::vector<MeasuredTrial>& measured;
  Machine machine = {};
  EstimateOptions options = {};
};

PlannedRun planned_run(const PlanRunRequest& request);

/// Without what a sweep with ASHA would stop: at each rung as many configurations go on as its rule
/// says. Which is not known; the first ones stand for them.
Experiment without_stopped(const Experiment& experiment);

}  // namespace hepar::detail
