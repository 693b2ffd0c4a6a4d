#include <map>

#include "hepar/core/text.h"
#include "plan_run/plan_output.h"

namespace hepar::detail {
namespace {

constexpr std::size_t kKeysShown = 4;

/// "fd2e… of runs/tiny", "mean of 17, fd2e… of runs/tiny the first".
std::string sources_text(const Estimate& estimate) {
  const MeasuredTrial& first = *estimate.rests_on.front();
  const std::string name = first.trial.id + " (" + first.trial.stage + ") of " + first.folder;
  const std::size_t number = estimate.rests_on.size();
  return number == 1 ? name : "mean of " + std::to_string(number) + ", first " + name;
}

std::string differs_text(const std::vector<std::string>& keys) {
  if (keys.size() <= kKeysShown) {
    return join(keys, ", ");
  }
  const std::vector<std::string> shown(keys.begin(), keys.begin() + kKeysShown);
  return join(shown, ", ") + " and " + std::to_string(keys.size() - kKeysShown) + " more";
}

struct Line {
  int trials = 0;
  std::vector<std::string> columns;
};

/// Trials of a stage that rest on the same, in the same way.
std::string key_of(const Trial& trial, const Estimate& estimate) {
  const bool itself = estimate.basis == Basis::kSameTrial;
  return trial.stage + "|" + to_string(estimate.basis) + "|" +
         (itself ? estimate.rests_on.front()->folder : sources_text(estimate)) + "|" +
         join(estimate.differs, ",") + "|" + join(estimate.scaled, ",");
}

}  // namespace

std::string basis_text(const PlannedRun& run) {
  std::vector<std::string> order;
  std::map<std::string, Line> lines;
  for (const Trial& trial : run.experiment.trials) {
    const Estimate& estimate = run.estimates.at(trial.id);
    if (!estimate.measured()) {
      continue;
    }
    const std::string key = key_of(trial, estimate);
    Line& line = lines[key];
    if (++line.trials == 1) {
      order.push_back(key);
      line.columns = {to_string(estimate.basis), sources_text(estimate),
                      differs_text(estimate.differs), join(estimate.scaled, ", "), trial.stage};
    } else if (estimate.basis == Basis::kSameTrial) {
      line.columns[1] = "each itself, of " + estimate.rests_on.front()->folder;
    }
  }
  std::vector<std::vector<std::string>> rows{
      {"stage", "trials", "rests on", "measured trial", "differs in", "scaled"}};
  for (const std::string& key : order) {
    const Line& line = lines[key];
    rows.push_back({line.columns[4], std::to_string(line.trials), line.columns[0], line.columns[1],
                    line.columns[2], line.columns[3]});
  }
  return format_table(rows);
}

}  // namespace hepar::detail
