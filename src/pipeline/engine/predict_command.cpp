#include "hepar/pipeline/predict_command.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <optional>

#include "case_run.h"
#include "experiment/usage.h"
#include "hepar/comm/together.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/image/nifti.h"
#include "hepar/pipeline/postprocess.h"
#include "hepar/pipeline/prediction_lineage.h"
#include "hepar/train/tensor_io.h"
#include "predict_groups.h"
#include "predict_inputs.h"

namespace hepar {
namespace {

class Predicting {
 public:
  Predicting(const PredictConfig& config, Communicator& communicator)
      : config_(config), communicator_(communicator) {}

  /// Everything that can be refused before the first case.
  void open(bool dry_run) {
    together(communicator_, [&] {
      require<ConfigError>(!config_.in.empty() && !config_.out.empty(),
                           "in, out: both folders are needed (--in DIR --out DIR)");
      options_ = predict_options(config_, communicator_);
      options_.largest_component = config_.largest_component;
      PredictModels given{
          config_.model, config_.ensemble_with, load_models(config_.model, options_.compute), {}};
      if (!config_.ensemble_with.empty()) {
        given.second =
            load_second_models(config_.ensemble_with, given.models.front(), options_.compute);
      }
      inputs_ = predict_inputs({.in = config_.in,
                                .split = config_.split,
                                .sequence = config_.sequence,
                                .domain = config_.domain},
                               given.models.front().plan);
      if (!config_.postprocessing.empty()) {
        rule_ = read_postprocess_rule(config_.postprocessing);
      }
      groups_ = make_predict_groups(std::move(given), inputs_, config_.held_out);
      if (communicator_.is_root() && !dry_run) {
        make_writable_directory(config_.out);
        add_prediction_lineage(config_.out, lineage({}));
        if (config_.save_logits) {
          make_writable_directory(fs::path(config_.out) / "logits");
        }
      }
    });
  }

  [[nodiscard]] std::size_t cases() const {
    std::size_t n = 0;
    for (const PredictGroup& group : groups_) {
      n += group.cases.size();
    }
    return n;
  }

  void run() {
    const std::vector<std::size_t> missing = missing_cases(
        inputs_, [&](const PredictInput& input) { return is_done(input); }, communicator_);
    std::vector<std::string> problems;
    std::map<std::string, std::set<std::string>> hashes;
    for (const PredictGroup& group : groups_) {
      CaseRunOutcome outcome = run_group(group, missing);
      problems.insert(problems.end(), outcome.problems.begin(), outcome.problems.end());
      hashes.merge(outcome.hashes);
    }
    together(communicator_, [&] {
      if (communicator_.is_root()) {
        add_prediction_lineage(config_.out, lineage(hashes));
      }
      require<DataError>(problems.empty(), join(problems, "\n"));
    });
    std::array<double, 1> peak{detail::peak_memory_mib()};
    communicator_.all_reduce(peak, ReduceOp::kMax);
    log::info(std::to_string(cases()) + " masks in " + config_.out + "; a rank's peak memory " +
              std::to_string(std::llround(peak[0])) + " MiB");
  }

 private:
  /// Of all groups; `hashes`: what was learnt of images by reading them.
  [[nodiscard]] std::vector<PredictionGroup> lineage(
      const std::map<std::string, std::set<std::string>>& hashes) const {
    std::vector<PredictionGroup> all;
    for (const PredictGroup& group : groups_) {
      PredictionGroup entry;
      for (const std::vector<Model>* models : {&group.models, &group.second}) {
        for (const Model& model : *models) {
          entry.models.push_back(model.weights_hash);
          entry.lineage.merge(model.lineage);
        }
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

  [[nodiscard]] fs::path logits_file_of(const PredictInput& input) const {
    return fs::path(config_.out) / "logits" / (input.name + ".safetensors");
  }

  [[nodiscard]] bool is_done(const PredictInput& input) const {
    return fs::exists(file_of(input)) &&
           (!config_.save_logits || fs::exists(logits_file_of(input)));
  }

  CaseRunOutcome run_group(const PredictGroup& group, const std::vector<std::size_t>& missing) {
    std::vector<std::size_t> todo;
    std::set_intersection(group.cases.begin(), group.cases.end(), missing.begin(), missing.end(),
                          std::back_inserter(todo));
    const auto keep = [&](const PredictInput& input, const Prediction& answer) {
      LabelImage labels = answer.labels;
      if (rule_) {
        apply_rule(*rule_, labels);
      }
      write_nifti(file_of(input), from_labels(reorient(labels, input.to_output)));
    };
    CaseRun run{.title = "predicting",
                .inputs = inputs_,
                .models = group.models,
                .second = group.second.empty() ? nullptr : &group.second,
                .options = options_,
                .share_tiles = config_.share_tiles,
                .keep = keep};
    if (config_.save_logits) {
      run.keep_logits = [&](const PredictInput& input, const std::vector<at::Tensor>& logits) {
        keep_logits(input, logits);
      };
    }
    return run_cases(run, todo, communicator_);
  }

  void keep_logits(const PredictInput& input, const std::vector<at::Tensor>& logits) const {
    NamedTensors named{{"logits", logits.front()}};
    if (logits.size() > 1) {
      named.emplace_back("logits_of_second", logits[1]);
    }
    write_tensors(logits_file_of(input), named);
  }

  const PredictConfig& config_;
  Communicator& communicator_;
  PredictOptions options_;
  std::vector<PredictInput> inputs_;
  std::vector<PredictGroup> groups_;
  std::optional<PostprocessRule> rule_;
};

}  // namespace

void PredictConfig::declare(ConfigSchema& schema) {
  schema.add("model", model, "Model or run folders; several are averaged");
  schema.add("ensemble_with", ensemble_with,
             "Model or run folders of a second configuration (its spacing may differ): the mean of "
             "both's probabilities decides");
  schema.add("in", in, "Folder of NIfTI files, or a cohort", {}, Effect::kNone);
  schema.add("out", out, "Folder for the predicted masks", {}, Effect::kNone);
  schema.add("split", split, "Splits of a cohort; empty: all");
  schema.add("sequence", sequence, "Sequences of a cohort; empty: the plan's channels");
  schema.add("domain", domain, "Domains of a cohort; empty: all");
  schema.add("held_out", held_out,
             "Each model predicts the cases its fold kept from it (out-of-fold masks)");
  schema.add("largest_component", largest_component,
             "Keep the largest component only (26-connected)");
  schema.add("postprocessing", postprocessing,
             "postprocessing.json (hepar postprocess) whose steps are taken", {}, Effect::kNone);
  schema.add(
      "save_logits", save_logits,
      "Also write OUT/logits/CASE.safetensors: 'logits' [outputs, z, y, x] float32 before "
      "export, on the grid the network saw (hepar's crop, the plan's spacing and axis order)",
      {}, Effect::kNone);
  schema.add("share_tiles", share_tiles,
             "Cases that do not fill a last round of ranks are shared by all, tile by tile", {},
             Effect::kNone);
  declare_inference(schema);
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
