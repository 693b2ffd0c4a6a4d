#include <set>

#include "hepar/pipeline/bracket.h"
#include "plan_run/planned_run.h"

namespace hepar::detail {
namespace {

/// A cell's configuration: its axes but the rung and those that are repeated.
std::string configuration_of(const SweepSpec& sweep, AxisValues axes) {
  axes.erase(kRungAxis);
  for (const std::string& repeat : sweep.repeats) {
    axes.erase(repeat);
  }
  return to_string(axes);
}

/// Configurations in the file's order.
std::map<std::string, std::size_t> configurations(const Experiment& experiment) {
  std::map<std::string, std::size_t> numbers;
  for (const Cell& cell : experiment.cells) {
    if (cell.stage == experiment.sweep->asha.stage) {
      numbers.emplace(configuration_of(*experiment.sweep, cell.axes), numbers.size());
    }
  }
  return numbers;
}

/// How many reach each rung, by its steps.
std::map<std::string, std::size_t> entrants(const SweepSpec::Asha& asha, std::size_t number) {
  std::map<std::string, std::size_t> reach;
  for (const std::int64_t rung : asha.rungs) {
    reach[std::to_string(rung)] = number;
    number = places(asha, number);
  }
  return reach;
}

}  // namespace

Experiment without_stopped(const Experiment& experiment) {
  if (!experiment.sweep || !experiment.sweep->stops_early()) {
    return experiment;
  }
  const auto numbers = configurations(experiment);
  const auto reach = entrants(experiment.sweep->asha, numbers.size());
  std::set<std::string> kept;
  for (const Cell& cell : experiment.cells) {
    const auto rung = cell.axes.find(kRungAxis);
    const auto number = numbers.find(configuration_of(*experiment.sweep, cell.axes));
    if (rung == cell.axes.end() || number == numbers.end() ||
        number->second < reach.at(rung->second)) {
      kept.insert(cell.id);
    }
  }
  Experiment rest = experiment;
  std::erase_if(rest.trials, [&](const Trial& trial) { return !kept.contains(trial.id); });
  return rest;
}

}  // namespace hepar::detail
