#include "plan_run/backtest.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "hepar/core/median.h"
#include "plan_run/trial_jobs.h"

namespace hepar::detail {
namespace {

struct Pair {
  const MeasuredTrial* measured;
  Estimate predicted;
};

Pair predict(const Estimator& estimator, const MeasuredTrial& seen) {
  const TrialPlace place{.ranks = seen.cost.ranks, .gpus = seen.on_gpu ? seen.cost.ranks : 0};
  return {&seen, estimator.estimate(
                     {.trial = seen.trial, .keys = seen.keys, .place = place, .leave_out = true})};
}

/// An interrupted training's wall time is not that of all its steps.
bool is_whole(const MeasuredTrial& seen) { return !seen.training.cut; }

CommandError error_of(const std::string& command, const std::vector<Pair>& pairs) {
  CommandError error{.command = command};
  std::vector<double> errors;
  for (const auto& [seen, predicted] : pairs) {
    if (seen->trial.command != command || !is_whole(*seen)) {
      continue;
    }
    if (!predicted.measured()) {
      ++error.alone;
      continue;
    }
    ++error.trials;
    error.measured_s += seen->cost.wall_s;
    error.predicted_s += predicted.seconds;
    errors.push_back(std::abs(predicted.seconds / seen->cost.wall_s - 1));
  }
  error.median_error = errors.empty() ? 0 : median(errors);
  return error;
}

/// +1 where a trial begins, -1 where it ends. Starts are whole seconds: `late` takes the latest
/// that a start can have been.
std::vector<std::pair<double, int>> changes(const std::vector<Pair>& pairs, double late) {
  std::vector<std::pair<double, int>> events;
  for (const Pair& pair : pairs) {
    const double start = pair.measured->started_s;
    if (pair.measured->cost.wall_s > late) {
      events.emplace_back(start + late, 1);
      events.emplace_back(start + pair.measured->cost.wall_s, -1);
    }
  }
  std::sort(events.begin(), events.end());
  return events;
}

int most_at_once(const std::vector<Pair>& pairs) {
  int now = 0, most = 1;
  for (const auto& [time, change] : changes(pairs, 1)) {
    now += change;
    most = std::max(most, now);
  }
  return most;
}

double covered_s(const std::vector<Pair>& pairs) {
  constexpr double kPause = 2;  // seconds that lie between trials of one run, rounding included
  double covered = 0, since = 0;
  int now = 0;
  for (const auto& [time, change] : changes(pairs, 0)) {
    covered += now > 0 || time - since < kPause ? time - since : 0;
    since = time;
    now += change;
  }
  return covered;
}

WallError wall_error(const std::string& folder, const std::vector<Pair>& pairs, double overhead_s) {
  WallError error{.folder = folder, .trials = static_cast<int>(pairs.size())};
  error.groups = most_at_once(pairs);
  error.measured_s = covered_s(pairs);
  TrialJobs trials;
  for (const auto& [seen, predicted] : pairs) {
    const bool alone = !predicted.measured() || !is_whole(*seen);
    error.alone += alone ? 1 : 0;
    trials.add(seen->trial,
               {.seconds = overhead_s + (alone ? seen->cost.wall_s : predicted.seconds)});
  }
  error.predicted_s = pack(trials.jobs(), error.groups).makespan_s;
  return error;
}

}  // namespace

Backtest backtest(const std::vector<MeasuredTrial>& measured, const NetworkModel& network,
                  double overhead_s) {
  const Estimator estimator(measured, {.seen_on = network, .network = network});
  std::vector<Pair> all;
  std::vector<std::string> commands;
  std::map<std::string, std::vector<Pair>> by_folder;
  for (const MeasuredTrial& seen : measured) {
    all.push_back(predict(estimator, seen));
    by_folder[seen.folder].push_back(all.back());
    if (std::find(commands.begin(), commands.end(), seen.trial.command) == commands.end()) {
      commands.push_back(seen.trial.command);
    }
  }
  Backtest result;
  for (const std::string& command : commands) {
    result.commands.push_back(error_of(command, all));
  }
  for (const auto& [folder, pairs] : by_folder) {
    result.walls.push_back(wall_error(folder, pairs, overhead_s));
  }
  return result;
}

}  // namespace hepar::detail
