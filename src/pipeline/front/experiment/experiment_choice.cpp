#include "hepar/pipeline/experiment_choice.h"

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/pipeline/trial_store.h"

namespace hepar {

void ExperimentChoice::declare_place(ConfigSchema& schema) {
  schema.add("experiment", experiment,
             "The experiment file, or the folder of a planned one (also as the first word)", {},
             Effect::kNone);
  schema.add("out", out, "Folder of the experiment; empty: runs/NAME", {}, Effect::kNone);
}

void ExperimentChoice::declare(ConfigSchema& schema) {
  declare_place(schema);
  schema.add("retry_failed", retry_failed, "Do trials again that have failed", {}, Effect::kNone);
  schema.add("accept_changes", accept_changes,
             "Redo trials whose settings changed since they were planned in --out", {},
             Effect::kNone);
}

bool ExperimentChoice::planned_already() const { return fs::is_directory(experiment); }

Experiment ExperimentChoice::read(const std::string& command,
                                  const std::function<Experiment()>& expand) const {
  require<ConfigError>(!experiment.empty(),
                       command + ": which experiment? hepar " + command + " EXPERIMENT.yaml");
  if (!planned_already()) {
    return expand();
  }
  require<ConfigError>(overrides.empty() && out.empty(),
                       command + ": " + experiment +
                           " is the folder of a planned experiment: --set and --out go with its "
                           "file");
  return TrialStore(experiment).experiment();
}

fs::path ExperimentChoice::folder(const Experiment& read) const {
  if (planned_already()) {
    return experiment;
  }
  return out.empty() ? fs::path("runs") / read.name : fs::path(out);
}

std::vector<std::string> take_overrides(const std::vector<std::string>& arguments,
                                        std::vector<std::string>& overrides) {
  std::vector<std::string> rest;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--set" && i + 1 < arguments.size()) {
      overrides.push_back(arguments[++i]);
    } else if (word.starts_with("--set=")) {
      overrides.push_back(word.substr(6));
    } else if (i == 0 && !word.starts_with("-")) {
      rest.insert(rest.end(), {"--experiment", word});
    } else {
      rest.push_back(word);
    }
  }
  return rest;
}

}  // namespace hepar
