#include "experiment/selection.h"

#include <chrono>
#include <set>
#include <thread>

#include "experiment/progress_of.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/text.h"
#include "hepar/train/lease.h"

namespace hepar::detail {
namespace {

std::set<std::string> ids_of(const Experiment& experiment) {
  std::set<std::string> ids;
  for (const Trial& trial : experiment.trials) {
    ids.insert(trial.id);
  }
  return ids;
}

std::vector<std::string> missing_inputs(const Experiment& experiment, const Experiment& part,
                                        const TrialStore& store) {
  const TrialStates states = store.states();
  const auto done = [&](const std::string& id) {
    const auto state = states.find(id);
    return state != states.end() && state->second == TrialState::kDone;
  };
  const std::set<std::string> own = ids_of(part);
  std::vector<std::string> missing;
  for (const Trial& trial : part.trials) {
    for (const std::string& input : done(trial.id) ? std::vector<std::string>() : trial.inputs) {
      if (!done(input) && !own.contains(input)) {
        const auto state = states.find(input);
        missing.push_back(trial.id + " (" + label(trial) + ") reads " + input + " (" +
                          label(experiment.trial(input)) + "), which is " +
                          (state == states.end() ? "not planned" : to_string(state->second)));
      }
    }
  }
  return missing;
}

/// Under the trial's lease, for another run may look after it, or have taken it, in the same
/// moment.
void recover_one(const std::string& id, RunnerFate fate, const TrialStore& store,
                 std::vector<std::string>& lines) {
  try {
    const Lease lease(store.trial_folder(id));
    if (const auto line = store.recover(id, fate)) {
      lines.push_back(*line);
    }
  } catch (const CommError&) {  // somebody lives in it
  }
}

}  // namespace

std::vector<std::string> selected_trials(const std::string& text, const Experiment& experiment) {
  const bool file = text.starts_with("@");
  const std::set<std::string> known = ids_of(experiment);
  std::vector<std::string> ids;
  for (const std::string& id : split(file ? read_text(text.substr(1)) : text, file ? '\n' : ',')) {
    if (known.contains(id)) {
      ids.push_back(id);
    } else if (!id.empty()) {
      const std::string near = nearest(id, {known.begin(), known.end()});
      throw ConfigError("trials: the experiment has no trial '" + id + "'" +
                        (near.empty() ? "; hepar run EXPERIMENT --dry-run lists them"
                                      : "; did you mean '" + near + "'?"));
    }
  }
  require<ConfigError>(!ids.empty(), "trials: '" + text + "' names no trial");
  return ids;
}

Experiment part_of(const Experiment& experiment, const std::vector<std::string>& ids) {
  Experiment part = experiment;
  const std::set<std::string> chosen(ids.begin(), ids.end());
  std::erase_if(part.trials, [&](const Trial& trial) { return !chosen.contains(trial.id); });
  return part;
}

void check_inputs_done(const Experiment& experiment, const Experiment& part,
                       const TrialStore& store, double wait_s) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(wait_s);
  std::vector<std::string> missing = missing_inputs(experiment, part, store);
  while (!missing.empty() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    missing = missing_inputs(experiment, part, store);
  }
  require<ConfigError>(missing.empty(), "trials: what these read is not done:\n  " +
                                            join(missing, "\n  ") + "\nRun those first.");
}

std::vector<std::string> recover_dead(const Experiment& part, const TrialStore& store) {
  const std::set<std::string> own = ids_of(part);
  std::vector<std::string> ids;
  std::vector<fs::path> folders;
  for (const auto& [id, state] : store.states()) {
    if (state == TrialState::kRunning && own.contains(id)) {
      ids.push_back(id);
      folders.push_back(store.trial_folder(id));
    }
  }
  const std::vector<HolderFate> fates = holder_fates(folders);
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (fates[i] != HolderFate::kAlive) {
      const auto fate = fates[i] == HolderFate::kLost ? RunnerFate::kLost : RunnerFate::kDied;
      recover_one(ids[i], fate, store, lines);
    }
  }
  return lines;
}

}  // namespace hepar::detail
