#include "hepar/pipeline/status_command.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "experiment/progress_of.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/bracket.h"
#include "hepar/pipeline/schedule.h"
#include "hepar/pipeline/trial_store.h"

namespace hepar {
namespace {

struct StageLine {
  std::map<TrialState, int> count;
  int blocked = 0;
  int stopped = 0;  ///< by ASHA
  double wall_s = 0, core_hours = 0, expected_s = 0;
  double peak_mib = 0;
};

std::string fixed(double value, int digits) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string or_blank(int number) { return number == 0 ? "" : std::to_string(number); }

class Status {
 public:
  explicit Status(const fs::path& folder) : store_(folder), experiment_(store_.experiment()) {
    states_ = store_.states();
    for (const Trial& trial : experiment_.trials) {
      const auto state = states_.find(trial.id);
      if (state != states_.end() && state->second == TrialState::kDone) {
        if (const auto outcome = store_.outcome(trial.id)) {
          outcomes_[trial.id] = *outcome;
          measured_[trial.id] = outcome->cost.wall_s;
        }
      }
    }
    if (experiment_.sweep && experiment_.sweep->stops_early()) {
      bracket_.emplace(experiment_, store_);
    }
  }

  std::string text() {
    const Schedule schedule(experiment_, measured_);
    const auto blocked = schedule.blocked(states_);
    std::map<std::string, StageLine> lines;
    StageLine total;
    for (const Trial& trial : experiment_.trials) {
      for (StageLine* line : {&lines[trial.stage], &total}) {
        count(trial, blocked, schedule, *line);
      }
    }
    std::vector<std::vector<std::string>> rows{
        {"stage", "command", "trials", "done", "running", "planned", "suspect", "failed", "blocked",
         "stopped", "wall", "core-h", "peak MiB", "still expected"}};
    for (const std::string& stage : experiment_.stages) {
      if (lines.contains(stage)) {  // else its trials are another stage's
        rows.push_back(row(stage, command_of(stage), lines[stage]));
      }
    }
    rows.push_back(row("all", "", total));
    return "experiment " + experiment_.name + " in " + store_.folder().string() + "\n\n" +
           format_table(rows) + rung_text(blocked) + running_text() + problem_text(blocked);
  }

  [[nodiscard]] Json json() const {
    Json document = Json::object();
    for (const Trial& trial : experiment_.trials) {
      const bool stopped = bracket_ && bracket_->stopped().contains(trial.id) &&
                           state(trial.id) == TrialState::kPlanned;
      document[trial.id] = {{"stage", trial.stage},
                            {"axes", trial.axes},
                            {"state", stopped ? "stopped" : to_string(state(trial.id))}};
    }
    return document;
  }

 private:
  [[nodiscard]] TrialState state(const std::string& id) const {
    const auto found = states_.find(id);
    return found == states_.end() ? TrialState::kPlanned : found->second;
  }

  [[nodiscard]] std::string command_of(const std::string& stage) const {
    const auto found = std::find_if(experiment_.trials.begin(), experiment_.trials.end(),
                                    [&](const Trial& trial) { return trial.stage == stage; });
    return found->command;
  }

  void count(const Trial& trial, const std::map<std::string, std::string>& blocked,
             const Schedule& schedule, StageLine& line) const {
    const bool ended = state(trial.id) == TrialState::kDone;
    if (bracket_ && bracket_->stopped().contains(trial.id) && !ended) {
      ++line.stopped;
      return;
    }
    if (blocked.contains(trial.id)) {
      ++line.blocked;
      return;
    }
    ++line.count[state(trial.id)];
    if (const auto done = outcomes_.find(trial.id); done != outcomes_.end()) {
      line.wall_s += done->second.cost.wall_s;
      line.core_hours += done->second.cost.core_hours();
      line.peak_mib = std::max(line.peak_mib, done->second.cost.peak_memory_mib);
    } else if (state(trial.id) != TrialState::kFailed &&
               (!bracket_ || !bracket_->closed().contains(trial.id))) {
      line.expected_s += schedule.expected_s(trial.id);
    }
  }

  static std::vector<std::string> row(const std::string& name, const std::string& command,
                                      StageLine& line) {
    int trials = line.blocked + line.stopped;
    for (const auto& [ignored, number] : line.count) {
      trials += number;
    }
    return {name,
            command,
            std::to_string(trials),
            or_blank(line.count[TrialState::kDone]),
            or_blank(line.count[TrialState::kRunning]),
            or_blank(line.count[TrialState::kPlanned]),
            or_blank(line.count[TrialState::kSuspect]),
            or_blank(line.count[TrialState::kFailed]),
            or_blank(line.blocked),
            or_blank(line.stopped),
            line.wall_s > 0 ? detail::duration_text(line.wall_s) : "",
            line.core_hours > 0 ? fixed(line.core_hours, 3) : "",
            line.peak_mib > 0 ? fixed(line.peak_mib, 0) : "",
            line.expected_s > 0 ? detail::duration_text(line.expected_s) : ""};
  }

  /// How far the rungs of a sweep are.
  [[nodiscard]] std::string rung_text(const std::map<std::string, std::string>& blocked) const {
    if (!bracket_) {
      return "";
    }
    std::vector<std::vector<std::string>> rows{
        {"rung", "configurations", "ended", "go on", "best"}};
    const std::vector<std::int64_t>& rungs = experiment_.sweep->asha.rungs;
    for (std::size_t rung = 0; rung < rungs.size(); ++rung) {
      const std::vector<std::size_t> reached = bracket_->entrants(rung);
      const auto ended = std::count_if(reached.begin(), reached.end(), [&](std::size_t i) {
        return bracket_->trials().ended(i, rung, {states_, blocked});
      });
      const bool decided = rung < bracket_->decisions().size();
      rows.push_back({std::to_string(rungs[rung]) + " steps",
                      or_blank(static_cast<int>(reached.size())), or_blank(static_cast<int>(ended)),
                      decided ? std::to_string(bracket_->entrants(rung + 1).size()) : "",
                      decided ? fixed(*bracket_->decisions()[rung].front().value, 4) : ""});
    }
    std::string text = "\n";
    text += format_table(rows);
    return text;
  }

  [[nodiscard]] std::string running_text() const {
    std::string text;
    for (const Trial& trial : experiment_.trials) {
      if (state(trial.id) == TrialState::kRunning) {
        text += "\nrunning: " + detail::label(trial) + "  " + trial.id + "  " +
                detail::progress_of(store_, trial);
      }
    }
    return text.empty() ? "" : text + "\n";
  }

  [[nodiscard]] std::string problem_text(const std::map<std::string, std::string>& blocked) const {
    std::string text;
    for (const Trial& trial : experiment_.trials) {
      if (state(trial.id) == TrialState::kFailed) {
        const auto outcome = store_.outcome(trial.id);
        text += "\nfailed: " + detail::label(trial) + ": " + (outcome ? outcome->message : "") +
                "\n  log: " + (store_.trial_folder(trial.id) / "log.txt").string();
        const auto waiting = std::count_if(blocked.begin(), blocked.end(), [&](const auto& entry) {
          return entry.second == trial.id;
        });
        if (waiting > 0) {
          text += "\n  blocks " + std::to_string(waiting) + " trial(s)";
        }
      }
    }
    return text.empty() ? "" : text + "\n";
  }

  TrialStore store_;
  Experiment experiment_;
  TrialStates states_;
  std::map<std::string, TrialOutcome> outcomes_;
  std::map<std::string, double> measured_;
  std::optional<Bracket> bracket_;  ///< of a sweep that stops early
};

}  // namespace

void StatusConfig::declare(ConfigSchema& schema) {
  schema.add("experiment", experiment, "Folder that `hepar run` wrote", {}, Effect::kNone);
  schema.add("json", json, "One JSON object: state of every trial by id", {}, Effect::kNone);
}

std::string status_text(const std::filesystem::path& experiment) {
  return Status(experiment).text();
}

void run_status_command(const StatusConfig& config, bool dry_run) {
  require<ConfigError>(!config.experiment.empty(), "status: which experiment? hepar status EXP");
  if (dry_run) {
    return;
  }
  if (!config.json) {
    log::print(status_text(config.experiment));
    return;
  }
  log::print(Status(config.experiment).json().dump(2));
}

}  // namespace hepar
