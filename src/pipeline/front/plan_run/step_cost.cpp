#include "hepar/pipeline/step_cost.h"

#include <algorithm>

#include "hepar/core/error.h"

namespace hepar {
namespace {

/// Logged steps are a sample of all: beyond this they cannot be of the wall time.
constexpr double kMostOfWall = 1.2;

double reduction_s(const TrainingCost& seen, const TrainingLayout& layout,
                   const NetworkModel& network) {
  return network.seconds({.bytes = seen.gradient_bytes,
                          .ranks = layout.ranks,
                          .hosts = layout.hosts,
                          .kind = layout.reduction});
}

}  // namespace

TrainingCost split_wall(double wall_s, double logged_step_s, const TrainingLayout& layout) {
  const auto steps = static_cast<double>(std::max<std::int64_t>(1, layout.steps));
  TrainingCost cost{.layout = layout};
  const double even = wall_s / steps;
  cost.cut = logged_step_s > kMostOfWall * even;
  cost.step_s = logged_step_s <= 0 ? even
                : cost.cut         ? logged_step_s
                                   : std::min(logged_step_s, even);
  cost.start_s = cost.cut ? 0 : wall_s - steps * cost.step_s;
  return cost;
}

std::int64_t largest_share(std::int64_t global_batch, int ranks) {
  return (global_batch + ranks - 1) / ranks;
}

double sample_s(const TrainingCost& seen, const NetworkModel& network) {
  const auto share =
      static_cast<double>(largest_share(seen.layout.global_batch, seen.layout.ranks));
  return std::max(0.0, seen.step_s - reduction_s(seen, seen.layout, network)) / share;
}

double training_s(const TrainingCost& seen, const NetworkModel& seen_on,
                  const TrainingLayout& wanted, const NetworkModel& network, double speedup) {
  require<ConfigError>(wanted.ranks <= wanted.global_batch,
                       std::to_string(wanted.ranks) + " ranks cannot share a global batch of " +
                           std::to_string(wanted.global_batch) +
                           ": give fewer --ranks-per-trial, trials then run side by side");
  const auto share = static_cast<double>(largest_share(wanted.global_batch, wanted.ranks));
  const double step_s =
      sample_s(seen, seen_on) / speedup * share + reduction_s(seen, wanted, network);
  return seen.start_s + static_cast<double>(wanted.steps) * step_s;
}

}  // namespace hepar
