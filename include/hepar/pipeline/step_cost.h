#pragma once
#include <hepar/pipeline/all_reduce_model.h>

#include <cstdint>
#include <string>

namespace hepar {

/// How a training is laid out.
struct TrainingLayout {
  std::int64_t steps = 0;
  std::int64_t global_batch = 0;
  int ranks = 1;
  int hosts = 1;
  std::string reduction = "tree";  ///< dist.reduction
};

/// What a training was seen to cost.
struct TrainingCost {
  TrainingLayout layout = {};
  double gradient_bytes = 0;
  double start_s = 0;  ///< all that is not a step: reading, validations, checkpoints, the end
  double step_s = 0;   ///< the reduction included
  bool cut = false;    ///< it was interrupted: its wall time is that of its last part
};

/// Divides a training's wall seconds by the mean of the steps that it logged (0: none were).
TrainingCost split_wall(double wall_s, double logged_step_s, const TrainingLayout& layout);

/// Samples of the rank that has most of them.
std::int64_t largest_share(std::int64_t global_batch, int ranks);

/// Seconds of one sample's forward, backward and loading: a step without its reduction, by the
/// largest share.
double sample_s(const TrainingCost& seen, const NetworkModel& network);

/// Start-up, and steps of computing and reducing one after the other. Computing is `speedup` times
/// as fast as it was seen. Throws ConfigError when ranks outnumber samples, as a training does.
double training_s(const TrainingCost& seen, const NetworkModel& seen_on,
                  const TrainingLayout& wanted, const NetworkModel& network, double speedup);

}  // namespace hepar
