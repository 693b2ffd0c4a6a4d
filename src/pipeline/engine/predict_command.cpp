#include "hepar/pipeline/predict_command.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <optional>

#include "case_run.h"
#include "hepar/comm/together.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/parallel.h"
#include "hepar/core/text.h"
#include "hepar/image/nifti.h"
#include "hepar/pipeline/postprocess.h"
#include "hepar/pipeline/prediction_lineage.h"
#include "hepar/train/device.h"
#include "predict_inputs.h"

namespace hepar {
namespace {

/// The cases that one ensemble answers.
struct Group {
  std::vector<Model> models;
  std::vector<std::size_t> cases;  ///< of the inputs
};

class Predicting {
 public:
  Predicting(const PredictConfig& config, Communicator& communicator)
      : config_(config), communicator_(communicator) {}

  /// Everything that can be refused before the first case.
  void open(bool dry_run) {
    together(communicator_, [&] {
      require<ConfigError>(!config_.in.empty() && !config_.out.empty(),
                           "in, out: both folders are needed (--in DIR --out DIR)");
      device_ = choose_device(config_.device, communicator_);
      std::vector<Model> models = load_models(config_.model, device_);
      inputs_ = predict_inputs({.in = config_.in,
                                .split = config_.split,
                                .sequence = config_.sequence,
                                .domain = config_.domain},
                               models.front().plan);
      if (!config_.postprocessing.empty()) {
        rule_ = read_postprocess_rule(config_.postprocessing);
      }
      make_groups(std::move(models));
      if (communicator_.is_root() && !dry_run) {
        make_writable_directory(config_.out);
        add_prediction_lineage(config_.out, lineage({}));
      }
    });
  }

  [[nodiscard]] std::size_t cases() const {
    std::size_t n = 0;
    for (const Group& group : groups_) {
      n += group.cases.size();
    }
    return n;
  }

  void run() {
    const std::int64_t threads =
        config_.threads > 0 ? config_.threads
                            : std::max(1, usable_processors() / communicator_.local_size());
    at::set_num_threads(static_cast<int>(threads));
    const std::string missing = list_missing();
    std::vector<std::string> problems;
    std::map<std::string, std::set<std::string>> hashes;
    for (const Group& group : groups_) {
      CaseRunOutcome outcome = run_group(group, missing, static_cast<int>(threads));
      problems.insert(problems.end(), outcome.problems.begin(), outcome.problems.end());
      hashes.merge(outcome.hashes);
    }
    together(communicator_, [&] {
      if (communicator_.is_root()) {
        add_prediction_lineage(config_.out, lineage(hashes));
      }
      require<DataError>(problems.empty(), join(problems, "\n"));
    });
    log::info(std::to_string(cases()) + " masks in " + config_.out);
  }

 private:
  void make_groups(std::vector<Model> models) {
    if (!config_.held_out) {
      Group all{std::move(models), {}};
      for (std::size_t i = 0; i < inputs_.size(); ++i) {
        all.cases.push_back(i);
      }
      groups_.push_back(std::move(all));
      return;
    }
    for (std::size_t m = 0; m < models.size(); ++m) {
      Group group;
      for (std::size_t i = 0; i < inputs_.size(); ++i) {
        if (holds_out(models[m], inputs_[i].identity)) {
          group.cases.push_back(i);
        }
      }
      require<ConfigError>(!group.cases.empty(),
                           "held_out: " + config_.model[m] + " held out no case of " + config_.in +
                               "; it was trained with data.fold=all or on another cohort");
      group.models.push_back(std::move(models[m]));
      groups_.push_back(std::move(group));
    }
    refuse_two_answers();
  }

  static bool holds_out(const Model& model, const CaseIdentity& item) {
    Lineage held;
    for (const CaseIdentity& other : model.held_out) {
      held.add(other, CaseUse::kMask);
    }
    return held.uses(item, CaseUse::kMask);
  }

  void refuse_two_answers() const {
    std::vector<std::size_t> owner(inputs_.size(), groups_.size());
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      for (const std::size_t i : groups_[g].cases) {
        require<ConfigError>(owner[i] == groups_.size(),
                             "held_out: case " + inputs_[i].name +
                                 " is held out by two of the models; give one a fold");
        owner[i] = g;
      }
    }
  }

  /// Of all groups; `hashes`: what was learnt of images by reading them.
  [[nodiscard]] std::vector<PredictionGroup> lineage(
      const std::map<std::string, std::set<std::string>>& hashes) const {
    std::vector<PredictionGroup> all;
    for (const Group& group : groups_) {
      PredictionGroup entry;
      for (const Model& model : group.models) {
        entry.models.push_back(model.weights_hash);
        entry.lineage.merge(model.lineage);
      }
      if (rule_) {
        entry.lineage.merge(rule_->lineage);
      }
      for (const std::size_t i : group.cases) {
        entry.cases.push_back({inputs_[i].name, inputs_[i].identity});
        const auto found = hashes.find(inputs_[i].name);
        if (found != hashes.end()) {
          entry.cases.back().identity.images = found->second;
        }
      }
      all.push_back(std::move(entry));
    }
    return all;
  }

  [[nodiscard]] fs::path file_of(const PredictInput& input) const {
    return fs::path(config_.out) / (input.name + ".nii.gz");
  }

  /// One character a case, from rank 0: all ranks must deal the same list.
  std::string list_missing() {
    std::string missing(inputs_.size(), '0');
    together(communicator_, [&] {
      for (std::size_t i = 0; communicator_.is_root() && i < inputs_.size(); ++i) {
        missing[i] = fs::exists(file_of(inputs_[i])) ? '0' : '1';
      }
    });
    return communicator_.broadcast(missing, 0);
  }

  CaseRunOutcome run_group(const Group& group, const std::string& missing, int threads) {
    std::vector<std::size_t> todo;
    std::copy_if(group.cases.begin(), group.cases.end(), std::back_inserter(todo),
                 [&](std::size_t i) { return missing[i] == '1'; });
    PredictOptions options;
    options.step = config_.step;
    options.mirror = config_.mirror;
    options.tile_batch = config_.tile_batch;
    options.largest_component = config_.largest_component;
    options.threads = threads;
    options.device = device_;
    const auto keep = [&](const PredictInput& input, const Prediction& answer) {
      LabelImage labels = answer.labels;
      if (rule_) {
        apply_rule(*rule_, labels);
      }
      write_nifti(file_of(input), from_labels(reorient(labels, input.to_output)));
    };
    return run_cases({.title = "predicting",
                      .inputs = inputs_,
                      .models = group.models,
                      .options = options,
                      .share_tiles = config_.share_tiles,
                      .keep = keep},
                     todo, communicator_);
  }

  const PredictConfig& config_;
  Communicator& communicator_;
  at::Device device_ = at::kCPU;
  std::vector<PredictInput> inputs_;
  std::vector<Group> groups_;
  std::optional<PostprocessRule> rule_;
};

}  // namespace

void PredictConfig::declare(ConfigSchema& schema) {
  schema.add("model", model, "Model or run folders; several are averaged");
  schema.add("in", in, "Folder of NIfTI files, or a cohort", {}, Effect::kNone);
  schema.add("out", out, "Folder for the predicted masks", {}, Effect::kNone);
  schema.add("split", split, "Splits of a cohort; empty: all");
  schema.add("sequence", sequence, "Sequences of a cohort; empty: the plan's channels");
  schema.add("domain", domain, "Domains of a cohort; empty: all");
  schema.add("held_out", held_out,
             "Each model predicts the cases its fold kept from it (out-of-fold masks)");
  schema.add("step", step, "Tile step, as a share of the patch", Range{.low = 0.05, .high = 1});
  schema.add("mirror", mirror, "Average over the flips used in training");
  schema.add("largest_component", largest_component,
             "Keep the largest component only (26-connected)");
  schema.add("postprocessing", postprocessing,
             "postprocessing.json (hepar postprocess) whose steps are taken", {}, Effect::kNone);
  schema.add_choice("device", device, {"auto", "cpu", "cuda"}, "Where the network runs",
                    Effect::kNone);
  schema.add("tile_batch", tile_batch, "Tiles in one forward pass", Range{.low = 1}, Effect::kNone);
  schema.add("share_tiles", share_tiles,
             "Cases that do not fill a last round of ranks are shared by all, tile by tile", {},
             Effect::kNone);
  schema.add("threads", threads, "Threads of a rank; 0: usable processors / ranks on the host",
             Range{.low = 0}, Effect::kNone);
}

void run_predict_command(const PredictConfig& config, bool dry_run, Communicator& communicator) {
  Predicting predicting(config, communicator);
  predicting.open(dry_run);
  if (dry_run) {
    log::info("would predict " + std::to_string(predicting.cases()) + " images into " + config.out);
    return;
  }
  predicting.run();
}

}  // namespace hepar
