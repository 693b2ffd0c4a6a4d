#include "experiment/row_trials.h"

#include <algorithm>
#include <set>

#include "experiment/progress_of.h"
#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/schedule.h"

namespace hepar::detail {
namespace {

std::string unique(const std::vector<std::string>& texts) {
  const std::set<std::string> set(texts.begin(), texts.end());
  return join({set.begin(), set.end()}, " ");
}

}  // namespace

TableTrials::TableTrials(const TrialStore& store)
    : store_(store), experiment_(store.experiment()), states_(store.states()) {
  require<ConfigError>(experiment_.table.has_value(),
                       store.folder().string() + ": the experiment has no section 'table'");
}

std::string TableTrials::title() const {
  return table().title.empty() ? experiment_.name : table().title;
}

TrialState TableTrials::state(const std::string& id) const {
  const auto found = states_.find(id);
  return found == states_.end() ? TrialState::kPlanned : found->second;
}

std::vector<std::pair<std::string, std::string>> TableTrials::rows() const {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const std::string& row : experiment_.axes.at(table().rows)) {
    const auto title = table().titles.find(row);
    rows.emplace_back(row, title == table().titles.end() ? row : title->second);
  }
  return rows;
}

RowTrials TableTrials::of_row(const std::string& stage, const std::string& row) const {
  RowTrials found;
  for (const Cell& cell : experiment_.cells) {
    if (cell.stage != stage || cell.axes.at(table().rows) != row) {
      continue;
    }
    AxisValues others = cell.axes;
    others.erase(table().rows);
    const std::string name = others.empty() ? "run" : to_string(others);
    if (state(cell.id) != TrialState::kDone) {
      found.missing.push_back(name + ": " + why_missing(cell.id));
      continue;
    }
    const Trial& trial = experiment_.trial(cell.id);
    const TrialOutcome outcome = store_.outcome(cell.id).value();
    found.runs.push_back(name);
    found.trials.push_back(cell.id);
    found.score_hashes.push_back(outcome.output_hash);
    found.code_versions.push_back(outcome.code_version);
    found.outputs.push_back(store_.output(trial));
    found.steps = steps_behind(trial);
  }
  return found;
}

std::string TableTrials::why_missing(const std::string& id) const {
  const auto blocked = Schedule(experiment_, {}).blocked(states_);
  if (const auto cause = blocked.find(id); cause != blocked.end()) {
    return "blocked by " + label(experiment_.trial(cause->second)) + ", which failed";
  }
  const auto outcome = store_.outcome(id);
  return state(id) == TrialState::kFailed ? "failed: " + (outcome ? outcome->message : "")
                                          : "not done yet";
}

/// Optimizer steps of all trainings that a trial goes back to, each once.
std::int64_t TableTrials::steps_behind(const Trial& trial) const {
  std::set<std::string> seen;
  std::vector<std::string> open{trial.id};
  std::int64_t steps = 0;
  while (!open.empty()) {
    const std::string id = open.back();
    open.pop_back();
    if (seen.insert(id).second) {
      const Trial& next = experiment_.trial(id);
      steps += next.steps;
      open.insert(open.end(), next.inputs.begin(), next.inputs.end());
    }
  }
  return steps;
}

std::string runs_text(const RowTrials& trials) {
  if (trials.runs.empty()) {
    return "MISSING (" + (trials.missing.empty() ? "no run" : trials.missing.front()) + ")";
  }
  std::string text = std::to_string(trials.runs.size());
  if (!trials.missing.empty()) {
    text += " of " + std::to_string(trials.runs.size() + trials.missing.size());
  }
  return text;
}

TextTable source_table(const std::vector<std::pair<std::string, std::string>>& rows,
                       const std::map<std::string, RowTrials>& sources) {
  TextTable table{{"row", "runs", "missing", "trials of the scores", "hash of the scores", "code"}};
  for (const auto& [row, title] : rows) {
    const RowTrials& of = sources.at(row);
    table.push_back({title, join(of.runs, "; "), join(of.missing, "; "), join(of.trials, " "),
                     join(of.score_hashes, " "), unique(of.code_versions)});
  }
  return table;
}

}  // namespace hepar::detail
