#include "hepar/pipeline/run_command.h"

namespace hepar {

void RunExperimentConfig::declare(ConfigSchema& schema) {
  schema.add("experiment", experiment,
             "The experiment file, or the folder of a planned one (also as the first word)", {},
             Effect::kNone);
  schema.add("out", out, "Folder of the experiment; empty: runs/NAME", {}, Effect::kNone);
  schema.add("ranks_per_trial", ranks_per_trial,
             "Ranks that work on one trial; 0: all. Fewer: groups run trials side by side",
             Range{.low = 0}, Effect::kNone);
  schema.add("retry_failed", retry_failed, "Run trials again that have failed", {}, Effect::kNone);
  schema.add("accept_changes", accept_changes,
             "Redo trials whose settings changed since they were planned in --out", {},
             Effect::kNone);
  schema.add("trials", trials,
             "Only these trials: ID,ID,… or @FILE with an id a line. Other runs may work beside",
             {}, Effect::kNone);
  schema.add("inputs_wait_s", inputs_wait_s,
             "Seconds to wait for what --trials read, on file systems that show it late",
             Range{.low = 0}, Effect::kNone);
  schema.add("json", json, "With --dry-run: what trials.json would hold", {}, Effect::kNone);
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
