#include "hepar/pipeline/trial_store.h"

#include <cstdio>

#include "experiment/drift.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"

namespace hepar {
namespace {

constexpr const char* kTrialsFile = "trials.json";
constexpr const char* kOutcomeFile = "outcome.json";
constexpr const char* kDeathsFile = "deaths";
constexpr const char* kStopFile = "stop";
constexpr const char* kAnnounced = "announced\n";
constexpr int kDeathsAllowed = 1;

void create_file(const fs::path& path) {
  std::FILE* file = std::fopen(path.c_str(), "a");
  require<DataError>(file != nullptr, path.string() + ": cannot be created");
  std::fclose(file);
}

}  // namespace

std::string to_string(TrialState state) {
  switch (state) {
    case TrialState::kPlanned:
      return "planned";
    case TrialState::kRunning:
      return "running";
    case TrialState::kSuspect:
      return "suspect";
    case TrialState::kDone:
      return "done";
    default:
      return "failed";
  }
}

fs::path TrialStore::trial_folder(const std::string& id) const { return folder_ / "trials" / id; }

fs::path TrialStore::output(const Trial& trial) const {
  return trial_folder(trial.id) / trial.output;
}

fs::path TrialStore::state_file(const std::string& id, TrialState state) const {
  return folder_ / "state" / to_string(state) / id;
}

void TrialStore::open(const Experiment& experiment, bool accept_changes) const {
  make_writable_directory(folder_);
  const fs::path file = folder_ / kTrialsFile;
  if (fs::exists(file)) {
    const std::vector<std::string> changes = detail::drift(this->experiment(), experiment);
    require<ConfigError>(accept_changes || changes.empty(),
                         folder_.string() +
                             ": what is to be done here has changed since it was planned:\n  " +
                             detail::first_lines(changes) +
                             "\nUse another --out, or --accept-changes to redo what these change.");
  }
  fs::create_directories(folder_ / "trials");
  for (const TrialState state : kTrialStates) {
    fs::create_directories(folder_ / "state" / to_string(state));
  }
  write_json(file, to_json(experiment));
}

Experiment TrialStore::experiment() const {
  const fs::path file = folder_ / kTrialsFile;
  require<ConfigError>(fs::exists(file),
                       folder_.string() +
                           ": no experiment here (trials.json is missing); give the "
                           "folder that `hepar run` wrote");
  return experiment_from_json(read_json(file), file.string());
}

void TrialStore::plan(const Experiment& experiment, bool retry_failed) const {
  const TrialStates known = states();
  const TrialStates again = states();  // one that moved while the folders were listed is not new
  for (const Trial& trial : experiment.trials) {
    const auto state = known.find(trial.id);
    if (state == known.end() && again.contains(trial.id)) {
      continue;
    }
    if (state == known.end()) {
      fs::create_directories(trial_folder(trial.id));
      create_file(state_file(trial.id, TrialState::kPlanned));
      continue;
    }
    const bool deleted =
        state->second == TrialState::kDone && !fs::exists(trial_folder(trial.id) / kOutcomeFile);
    if (deleted || (retry_failed && state->second == TrialState::kFailed)) {
      fs::create_directories(trial_folder(trial.id));
      fs::remove(trial_folder(trial.id) / kDeathsFile);
      (void)move(trial.id, state->second, TrialState::kPlanned);
    }
  }
}

void TrialStore::forget_stop() const { fs::remove(stop_file()); }

std::optional<std::string> TrialStore::recover(const std::string& id, RunnerFate fate) const {
  if (!fs::exists(state_file(id, TrialState::kRunning))) {
    return std::nullopt;
  }
  const bool announced = stop_requested() && read_text(stop_file()) == kAnnounced;
  if (announced || fate == RunnerFate::kLost) {
    (void)move(id, TrialState::kRunning, TrialState::kPlanned);
    return announced ? id + ": was running when a stop was announced; it is continued"
                     : id + ": was running when its allocation was lost; it is continued";
  }
  const int died = deaths(id) + 1;
  write_atomically(trial_folder(id) / kDeathsFile, std::to_string(died) + "\n");
  if (died > kDeathsAllowed) {
    TrialOutcome outcome{.exit_code = static_cast<int>(ExitCode::kFailure),
                         .message = "the process died twice while this trial ran"};
    write_outcome(id, outcome);
    (void)move(id, TrialState::kRunning, TrialState::kFailed);
    return id + ": died a second time; it has failed";
  }
  (void)move(id, TrialState::kRunning, TrialState::kSuspect);
  return id + ": died while it ran; it runs again alone, after the others";
}

fs::path TrialStore::stop_file() const {
  return part_.empty() ? folder_ / kStopFile : trial_folder(part_) / kStopFile;
}

void TrialStore::request_stop(bool announced) const {
  if (announced || !stop_requested()) {
    write_atomically(stop_file(), std::string(announced ? kAnnounced : "stop\n"));
  }
}

bool TrialStore::stop_requested() const { return fs::exists(stop_file()); }

TrialStates TrialStore::states() const {
  TrialStates states;
  // A trial that moves while the folders are listed is seen twice or not at all: planned first and
  // done last, and one that was in no list is taken as running.
  for (const TrialState state : kTrialStates) {
    std::error_code missing;
    for (const auto& entry :
         fs::directory_iterator(folder_ / "state" / to_string(state), missing)) {
      states[entry.path().filename().string()] = state;
    }
  }
  return states;
}

bool TrialStore::move(const std::string& id, TrialState from, TrialState to) const {
  return std::rename(state_file(id, from).c_str(), state_file(id, to).c_str()) == 0;
}

int TrialStore::deaths(const std::string& id) const {
  const fs::path file = trial_folder(id) / kDeathsFile;
  return fs::exists(file) ? std::atoi(read_text(file).c_str()) : 0;
}

void TrialStore::write_outcome(const std::string& id, const TrialOutcome& outcome) const {
  write_json(trial_folder(id) / kOutcomeFile, {{"done", outcome.done},
                                               {"exit_code", outcome.exit_code},
                                               {"message", outcome.message},
                                               {"started", outcome.started},
                                               {"host", outcome.host},
                                               {"code_version", outcome.code_version},
                                               {"wall_s", outcome.cost.wall_s},
                                               {"cpu_s", outcome.cost.cpu_s},
                                               {"ranks", outcome.cost.ranks},
                                               {"cores", outcome.cost.cores},
                                               {"core_hours", outcome.cost.core_hours()},
                                               {"peak_memory_mib", outcome.cost.peak_memory_mib},
                                               {"output_hash", outcome.output_hash},
                                               {"outputs", outcome.outputs}});
}

std::optional<TrialOutcome> TrialStore::outcome(const std::string& id) const {
  const fs::path file = trial_folder(id) / kOutcomeFile;
  if (!fs::exists(file)) {
    return std::nullopt;
  }
  const Json json = read_json(file);
  const std::string where = file.string();
  TrialOutcome outcome;
  outcome.done = json_get<bool>(json, "done", where);
  outcome.exit_code = json_get<int>(json, "exit_code", where);
  outcome.message = json_get<std::string>(json, "message", where);
  outcome.started = json_get<std::string>(json, "started", where);
  outcome.host = json_get<std::string>(json, "host", where);
  outcome.code_version = json_get<std::string>(json, "code_version", where);
  outcome.cost = {.wall_s = json_get<double>(json, "wall_s", where),
                  .cpu_s = json_get<double>(json, "cpu_s", where),
                  .ranks = json_get<int>(json, "ranks", where),
                  .cores = json_get<int>(json, "cores", where),
                  .peak_memory_mib = json_get<double>(json, "peak_memory_mib", where)};
  outcome.output_hash = json_get<std::string>(json, "output_hash", where);
  outcome.outputs = json_get<Json>(json, "outputs", where);
  return outcome;
}

}  // namespace hepar
