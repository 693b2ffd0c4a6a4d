#include "hepar/pipeline/schedule.h"

#include <algorithm>

namespace hepar {
namespace {

constexpr double kGuessedTrial = 10;        // seconds
constexpr double kGuessedTrainingStep = 1;  // seconds

TrialState state_of(const TrialStates& states, const std::string& id) {
  const auto found = states.find(id);
  // In no list: it moved while the lists were read.
  return found == states.end() ? TrialState::kRunning : found->second;
}

/// Sums of seconds and of units (steps of a training, else 1) over measured trials.
struct Rate {
  double seconds = 0, units = 0;
};

double units_of(const Trial& trial) {
  return trial.steps > 0 ? static_cast<double>(trial.steps) : 1;
}

}  // namespace

Schedule::Schedule(const Experiment& experiment, const std::map<std::string, double>& measured)
    : experiment_(experiment) {
  estimate(measured);
  for (auto trial = experiment.trials.rbegin(); trial != experiment.trials.rend(); ++trial) {
    way_[trial->id] += expected_[trial->id];
    for (const std::string& input : trial->inputs) {
      // What waits for an input is complete here: readers come after what they read.
      way_[input] = std::max(way_[input], way_[trial->id]);
    }
  }
}

void Schedule::estimate(const std::map<std::string, double>& measured) {
  std::map<std::string, Rate> by_stage, by_command;
  for (const Trial& trial : experiment_.trials) {
    if (const auto found = measured.find(trial.id); found != measured.end()) {
      for (Rate* rate : {&by_stage[trial.stage], &by_command[trial.command]}) {
        rate->seconds += found->second;
        rate->units += units_of(trial);
      }
    }
  }
  for (const Trial& trial : experiment_.trials) {
    const Rate &stage = by_stage[trial.stage], &command = by_command[trial.command];
    const Rate& rate = stage.units > 0 ? stage : command;
    const double guess = trial.steps > 0 ? kGuessedTrainingStep : kGuessedTrial;
    const auto own = measured.find(trial.id);
    expected_[trial.id] = own != measured.end() ? own->second
                          : rate.units > 0      ? units_of(trial) * rate.seconds / rate.units
                                                : units_of(trial) * guess;
  }
}

NextStep Schedule::next(const TrialStates& states, bool takes_suspects,
                        const std::set<std::string>& closed) const {
  bool running = false, waiting = false;
  std::vector<std::string> ready, suspects;
  for (const Trial& trial : experiment_.trials) {
    const TrialState state = state_of(states, trial.id);
    running = running || state == TrialState::kRunning;
    const bool fed = std::all_of(
        trial.inputs.begin(), trial.inputs.end(),
        [&](const std::string& id) { return state_of(states, id) == TrialState::kDone; });
    if (state == TrialState::kSuspect && fed) {
      suspects.push_back(trial.id);
    } else if (state == TrialState::kPlanned && fed && !closed.contains(trial.id)) {
      ready.push_back(trial.id);
    }
  }
  waiting = running || !suspects.empty();
  std::stable_sort(ready.begin(), ready.end(), [&](const std::string& a, const std::string& b) {
    return way_.at(a) > way_.at(b);
  });
  if (!ready.empty()) {
    return {.kind = NextStep::Kind::kRun, .candidates = ready};
  }
  if (!running && takes_suspects && !suspects.empty()) {
    return {.kind = NextStep::Kind::kRunAlone, .candidates = {suspects.front()}};
  }
  return {.kind = waiting ? NextStep::Kind::kWait : NextStep::Kind::kFinish, .candidates = {}};
}

std::map<std::string, std::string> Schedule::blocked(const TrialStates& states) const {
  std::map<std::string, std::string> causes;
  for (const Trial& trial : experiment_.trials) {
    for (const std::string& input : trial.inputs) {
      const auto inherited = causes.find(input);
      if (inherited != causes.end()) {
        causes.emplace(trial.id, inherited->second);
      } else if (state_of(states, input) == TrialState::kFailed) {
        causes.emplace(trial.id, input);
      }
    }
  }
  return causes;
}

}  // namespace hepar
