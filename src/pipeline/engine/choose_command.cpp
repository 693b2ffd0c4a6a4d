#include "hepar/pipeline/choose_command.h"

#include <algorithm>
#include <cstdio>

#include "case_run.h"
#include "hepar/comm/together.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/json.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/core/version.h"
#include "hepar/pipeline/postprocess.h"
#include "hepar/pipeline/predict_command.h"
#include "hepar/train/transfer.h"

namespace hepar {
namespace {

constexpr int kFormat = 1;
constexpr const char* kRule =
    "highest Dice over the cases kept out: mean over labels of the mean over cases where the label "
    "is in either mask; ties go to a single configuration, then to the one named first";

/// The folds of one configuration.
struct Configuration {
  std::string name;
  std::vector<std::string> folders;
};

bool is_model(const fs::path& folder) {
  return fs::exists(model_folder_of(folder.string()) / "model.json");
}

/// The folder itself, or the models in it.
std::vector<std::string> models_in(const std::string& folder) {
  if (is_model(folder)) {
    return {folder};
  }
  std::vector<std::string> found;
  if (fs::is_directory(folder)) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory() && is_model(entry.path())) {
        found.push_back(entry.path().string());
      }
    }
  }
  std::sort(found.begin(), found.end());
  require<ConfigError>(!found.empty(),
                       "configurations: " + folder + ": no model, and no folder of models");
  return found;
}

Configuration parse_configuration(const std::string& text) {
  const std::size_t at = text.find('=');
  require<ConfigError>(at != std::string::npos && at > 0,
                       "configurations: wanted NAME=FOLDER[:FOLDER...], found '" + text + "'");
  Configuration parsed{text.substr(0, at), {}};
  require<ConfigError>(
      parsed.name.find_first_of("/+") == std::string::npos && parsed.name[0] != '.',
      "configurations: a name is also a folder's: no / or + in '" + parsed.name +
          "', and no dot first");
  for (const std::string& folder : split(text.substr(at + 1), ':')) {
    const std::vector<std::string> models = models_in(folder);
    parsed.folders.insert(parsed.folders.end(), models.begin(), models.end());
  }
  return parsed;
}

std::vector<Configuration> parse_configurations(const std::vector<std::string>& texts) {
  require<ConfigError>(!texts.empty(),
                       "configurations: at least one is needed (--configurations NAME=FOLDER,...)");
  std::vector<Configuration> parsed;
  for (const std::string& text : texts) {
    parsed.push_back(parse_configuration(text));
    for (std::size_t i = 0; i + 1 < parsed.size(); ++i) {
      require<ConfigError>(parsed[i].name != parsed.back().name,
                           "configurations: two are named '" + parsed.back().name + "'");
    }
  }
  return parsed;
}

/// One configuration, or two.
struct Candidate {
  std::string name;
  std::vector<std::size_t> parts;  ///< of the configurations
  Json dice = {};
};

class Choosing {
 public:
  Choosing(const ChooseConfig& config, Communicator& communicator)
      : config_(config), communicator_(communicator) {}

  void open() {
    together(communicator_, [&] {
      for (const auto& [name, value] :
           {std::pair{"in", &config_.in}, {"ref", &config_.ref}, {"out", &config_.out}}) {
        require<ConfigError>(!value->empty(), std::string("choose: --") + name + " is missing");
      }
      configurations_ = parse_configurations(config_.configurations);
      list_candidates();
    });
  }

  /// With `dry_run` what it would do is checked and said.
  void predict(bool dry_run) {
    for (const Candidate& candidate : candidates_) {
      PredictConfig predicting = predict_config(candidate);
      predicting.held_out = true;
      log::info("choose: " + candidate.name);
      run_predict_command(predicting, dry_run, communicator_);
    }
  }

  void decide() {
    together(communicator_, [&] {
      if (communicator_.is_root()) {
        score();
        write();
      }
    });
  }

 private:
  void list_candidates() {
    std::vector<Model> first;
    for (std::size_t i = 0; i < configurations_.size(); ++i) {
      candidates_.push_back({configurations_[i].name, {i}});
      first.push_back(load_model(model_folder_of(configurations_[i].folders.front())));
    }
    for (std::size_t i = 0; config_.ensembles && i < first.size(); ++i) {
      for (std::size_t j = i + 1; j < first.size(); ++j) {
        const std::string name = configurations_[i].name + "+" + configurations_[j].name;
        const std::string difference = ensemble_difference(first[i], first[j]);
        if (difference.empty()) {
          candidates_.push_back({name, {i, j}});
        } else {
          passed_over_.push_back({{"name", name}, {"reason", "their " + difference + " differ"}});
        }
      }
    }
  }

  [[nodiscard]] fs::path masks_of(const Candidate& candidate) const {
    return fs::path(config_.out) / "masks" / candidate.name;
  }
  [[nodiscard]] std::string rule_file() const {
    return (fs::path(config_.out) / "postprocessing.json").string();
  }

  [[nodiscard]] PredictConfig predict_config(const Candidate& candidate) const {
    PredictConfig predicting;
    static_cast<InferenceConfig&>(predicting) = config_;
    predicting.model = configurations_[candidate.parts[0]].folders;
    if (candidate.parts.size() > 1) {
      predicting.ensemble_with = configurations_[candidate.parts[1]].folders;
    }
    predicting.in = config_.in;
    predicting.out = masks_of(candidate).string();
    predicting.split = config_.split;
    predicting.sequence = config_.sequence;
    predicting.domain = config_.domain;
    return predicting;
  }

  [[nodiscard]] PostprocessConfig scoring(const Candidate& candidate) const {
    return {.pred = masks_of(candidate).string(),
            .ref = config_.ref,
            .out = rule_file(),
            .threads = config_.threads};
  }

  void score() {
    for (Candidate& candidate : candidates_) {
      candidate.dice = label_dice(scoring(candidate));
    }
  }

  [[nodiscard]] const Candidate& best() const {
    return *std::max_element(candidates_.begin(), candidates_.end(),
                             [](const Candidate& a, const Candidate& b) {
                               return a.dice["mean"].get<double>() < b.dice["mean"].get<double>();
                             });
  }

  /// What the winner is used with; the words in capitals are the user's.
  [[nodiscard]] std::string predict_command(const Candidate& winner) const {
    const PredictConfig predicting = predict_config(winner);
    std::string command = "hepar predict --model " + join(predicting.model, ",");
    if (!predicting.ensemble_with.empty()) {
      command += " --ensemble-with " + join(predicting.ensemble_with, ",");
    }
    if (predicting.step != PredictConfig{}.step) {
      char text[32];
      std::snprintf(text, sizeof(text), " --step %g", predicting.step);
      command += text;
    }
    if (!predicting.mirror) {
      command += " --set mirror=false";
    }
    return command + " --postprocessing " + rule_file() + " --in IMAGES --out MASKS";
  }

  void write() const {
    const Candidate& winner = best();
    Json fitted = fit_postprocessing(scoring(winner));
    write_json(rule_file(), fitted);
    Json list = Json::array();
    std::vector<std::vector<std::string>> table{{"configuration", "mean Dice out of fold", ""}};
    for (const Candidate& candidate : candidates_) {
      Json models = Json::array();
      for (const std::size_t part : candidate.parts) {
        models.push_back(configurations_[part].folders);
      }
      list.push_back({{"name", candidate.name}, {"models", models}, {"dice", candidate.dice}});
      char text[32];
      std::snprintf(text, sizeof(text), "%.4f", candidate.dice["mean"].get<double>());
      table.push_back({candidate.name, text, &candidate == &winner ? "chosen" : ""});
    }
    const std::string command = predict_command(winner);
    write_json(fs::path(config_.out) / "choice.json", {{"format", kFormat},
                                                       {"chosen", winner.name},
                                                       {"rule", kRule},
                                                       {"candidates", list},
                                                       {"passed_over", passed_over_},
                                                       {"postprocessing", rule_file()},
                                                       {"keep_largest", fitted["keep_largest"]},
                                                       {"predict", command},
                                                       {"in", config_.in},
                                                       {"ref", config_.ref},
                                                       {"hepar", version()}});
    log::print(format_table(table) + command);
  }

  const ChooseConfig& config_;
  Communicator& communicator_;
  std::vector<Configuration> configurations_;
  std::vector<Candidate> candidates_;
  Json passed_over_ = Json::array();
};

}  // namespace

void ChooseConfig::declare(ConfigSchema& schema) {
  schema.add("configurations", configurations,
             "NAME=FOLDER[:FOLDER...] each: the runs or models of its folds, or a folder of them");
  schema.add("in", in, "Cohort, or folder of NIfTI files, that the folds were drawn from", {},
             Effect::kNone);
  schema.add("ref", ref, "Folder of reference masks (NIfTI) of the cases the folds kept out", {},
             Effect::kNone);
  schema.add("out", out, "Folder for choice.json, postprocessing.json and all masks", {},
             Effect::kNone);
  schema.add("split", split, "Splits of a cohort; empty: all");
  schema.add("sequence", sequence, "Sequences of a cohort; empty: the plan's channels");
  schema.add("domain", domain, "Domains of a cohort; empty: all");
  schema.add("ensembles", ensembles, "Every two configurations together compete too");
  declare_inference(schema);
}

void run_choose_command(const ChooseConfig& config, bool dry_run, Communicator& communicator) {
  Choosing choosing(config, communicator);
  choosing.open();
  choosing.predict(dry_run);
  if (!dry_run) {
    choosing.decide();
  }
}

}  // namespace hepar
