#include "hepar/pipeline/pseudo_label_command.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "case_run.h"
#include "hepar/comm/together.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/image/nifti.h"
#include "hepar/io/manifest.h"
#include "hepar/io/pseudo_labels.h"

namespace hepar {
namespace {

std::set<std::string> foreground_names(const std::vector<std::string>& names) {
  std::set<std::string> foreground(names.begin(), names.end());
  foreground.erase("background");
  foreground.erase("ignore");
  return foreground;
}

std::string text_of(const std::set<std::string>& names) {
  return join({names.begin(), names.end()}, ", ");
}

class Labelling {
 public:
  Labelling(const PseudoLabelConfig& config, Communicator& communicator)
      : config_(config),
        communicator_(communicator),
        out_(config.out),
        partial_(config.out + ".partial") {}

  /// Everything that can be refused before the first case. False: OUT is there already.
  bool open(bool dry_run) {
    std::string state;
    together(communicator_, [&] {
      check_config();
      options_ = predict_options(config_, communicator_);
      models_ = load_models(config_.model, options_.compute);
      options_.largest_component = config_.largest_component;
      options_.ignore_below = config_.ignore_below;
      options_.ignore_label = ignore_label();
      manifest_ = read_manifest(config_.data);
      check_classes();
      inputs_ = predict_inputs({.in = config_.data,
                                .split = config_.split,
                                .sequence = config_.sequence,
                                .domain = config_.domain,
                                .unlabelled = true},
                               models_.front().plan);
      if (communicator_.is_root() && !dry_run) {
        state = open_folder();
      }
    });
    return communicator_.broadcast(state, 0) != "done";
  }

  [[nodiscard]] std::size_t cases() const { return inputs_.size(); }

  void run() {
    const CaseRunOutcome outcome = label_cases();
    together(communicator_, [&] {
      require<DataError>(outcome.problems.empty(), join(outcome.problems, "\n"));
      if (communicator_.is_root()) {
        publish();
      }
    });
  }

 private:
  void check_config() const {
    require<ConfigError>(!config_.data.empty() && !config_.out.empty(),
                         "data, out: a cohort and a folder are needed (--data COHORT --out SET)");
    for (const std::string& split : config_.split) {
      require<ConfigError>(
          split == "train" || config_.allow_transductive,
          "split: wanted train, found '" + split +
              "': images that are scored later must not be learnt from; allow_transductive=true "
              "lets them in, and evaluate then counts them");
    }
    require<ConfigError>(!config_.split.empty() || config_.allow_transductive,
                         "split: wanted train; all splits need allow_transductive=true");
  }

  void check_classes() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : manifest_.labels) {
      names.push_back(name);
    }
    const std::set<std::string> wanted = foreground_names(names);
    const std::set<std::string> found = foreground_names(models_.front().plan.classes);
    require<ConfigError>(wanted.empty() || wanted == found,
                         "model: " + config_.model.front() + ": wanted the cohort's classes (" +
                             text_of(wanted) + "), found " + text_of(found));
  }

  [[nodiscard]] std::int16_t ignore_label() const {
    return static_cast<std::int16_t>(models_.front().plan.classes.size());
  }

  /// All that a mask depends on.
  [[nodiscard]] Json identity() const {
    Json teachers = Json::array();
    for (const Model& model : models_) {
      teachers.push_back(model.weights_hash);
    }
    return {{"cohort", manifest_hash(manifest_)},
            {"teachers", teachers},
            {"ignore_below", config_.ignore_below},
            {"step", config_.step},
            {"mirror", config_.mirror},
            {"largest_component", config_.largest_component}};
  }

  /// All that the set depends on.
  [[nodiscard]] Json options() const {
    Json json = identity();
    json["sequence"] = config_.sequence;
    json["split"] = config_.split;
    json["domain"] = config_.domain;
    json["min_confidence"] = config_.min_confidence;
    json["drop_lowest"] = config_.drop_lowest;
    return json;
  }

  /// Rank 0: "done" when OUT is what is asked for, else OUT.partial is ready to be continued.
  std::string open_folder() const {
    if (fs::exists(out_)) {
      require<ConfigError>(
          fs::exists(out_ / "labels.json") && read_pseudo_labels(out_).options == options(),
          config_.out + ": holds something else already; choose another --out");
      return "done";
    }
    const fs::path inputs = partial_ / "inputs.json";
    if (fs::exists(inputs) && read_json(inputs) != identity()) {
      log::warn(partial_.string() + ": was begun with other teachers or options; starting anew");
      fs::remove_all(partial_);
    }
    make_writable_directory(partial_ / "masks");
    make_writable_directory(partial_ / "records");
    write_json(inputs, identity());
    return "open";
  }

  [[nodiscard]] fs::path record_of(const PredictInput& input) const {
    return partial_ / "records" / (input.name + ".json");
  }

  CaseRunOutcome label_cases() {
    const std::vector<std::size_t> todo = missing_cases(
        inputs_, [&](const PredictInput& input) { return fs::exists(record_of(input)); },
        communicator_);
    return run_cases({.title = "pseudo-labelling",
                      .inputs = inputs_,
                      .models = models_,
                      .options = options_,
                      .with_confidence = true,
                      .share_tiles = config_.share_tiles,
                      .keep = [this](const PredictInput& input,
                                     const Prediction& answer) { keep(input, answer); }},
                     todo, communicator_);
  }

  /// The mask, then its record: a mask without one is made again.
  void keep(const PredictInput& input, const Prediction& answer) const {
    PseudoLabel label;
    label.case_id = input.identity.case_id;
    label.sequence = input.sequence;
    label.file = "masks/" + input.name + ".nii.gz";
    label.confidence = answer.confidence;
    label.voxels = answer.foreground;
    label.ignored = answer.ignored;
    const fs::path file = partial_ / label.file;
    write_nifti(file, from_labels(answer.labels));
    label.hash = to_hex(xxh64_of_file(file.string()));
    write_json(record_of(input), to_json(label));
  }

  [[nodiscard]] std::vector<PseudoLabel> collect() const {
    std::vector<PseudoLabel> labels;
    for (const PredictInput& input : inputs_) {
      const fs::path file = record_of(input);
      labels.push_back(pseudo_label_from_json(read_json(file), file.string()));
    }
    std::sort(labels.begin(), labels.end(), [](const PseudoLabel& a, const PseudoLabel& b) {
      return std::tie(a.case_id, a.sequence) < std::tie(b.case_id, b.sequence);
    });
    return labels;
  }

  /// Marks what is left out; empty masks that stay are refused.
  void drop(std::vector<PseudoLabel>& labels) const {
    std::vector<PseudoLabel*> by_confidence;
    for (PseudoLabel& label : labels) {
      by_confidence.push_back(&label);
      if (label.confidence < config_.min_confidence) {
        label.dropped = "confidence below min_confidence";
      }
    }
    std::stable_sort(by_confidence.begin(), by_confidence.end(),
                     [](const auto* a, const auto* b) { return a->confidence < b->confidence; });
    const auto n = static_cast<std::size_t>(
        std::floor(config_.drop_lowest * static_cast<double>(labels.size())));
    for (std::size_t i = 0; i < n; ++i) {
      if (by_confidence[i]->dropped.empty()) {
        by_confidence[i]->dropped = "among the lowest confidences (drop_lowest)";
      }
    }
    std::vector<std::string> empty;
    for (const PseudoLabel& label : labels) {
      if (label.dropped.empty() && label.voxels == 0) {
        empty.push_back(label.case_id + "/" + label.sequence);
      }
    }
    require<DataError>(empty.empty(),
                       "pseudo-label: " + std::to_string(empty.size()) +
                           " mask(s) are empty: " + join(empty, ", ") +
                           "; leave them out with min_confidence or drop_lowest, or train the "
                           "teacher longer");
  }

  [[nodiscard]] Lineage lineage(const std::vector<PseudoLabel>& labels) const {
    Lineage lineage;
    for (const Model& model : models_) {
      lineage.merge(model.lineage);
    }
    std::set<std::pair<std::string, std::string>> used;
    for (const PseudoLabel& label : labels) {
      if (label.dropped.empty()) {
        used.emplace(label.case_id, label.sequence);
      }
    }
    for (const PredictInput& input : inputs_) {
      if (used.contains({input.identity.case_id, input.sequence})) {
        lineage.add(input.identity, CaseUse::kImage);
      }
    }
    return lineage;
  }

  void publish() const {
    PseudoLabelSet set;
    set.cohort_hash = manifest_hash(manifest_);
    set.plan_hash = plan_hash(models_.front().plan);
    const std::vector<std::string>& classes = models_.front().plan.classes;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      set.labels[classes[i]] = static_cast<int>(i);
    }
    if (config_.ignore_below > 0) {
      set.labels["ignore"] = ignore_label();
    }
    set.cases = collect();
    drop(set.cases);
    for (std::size_t i = 0; i < models_.size(); ++i) {
      set.teachers.push_back(
          {{"folder", config_.model[i]}, {"weights_xxh64", models_[i].weights_hash}});
    }
    set.options = options();
    write_lineage(partial_, lineage(set.cases));
    write_pseudo_labels(partial_, set);
    fs::remove_all(partial_ / "records");
    fs::remove(partial_ / "inputs.json");
    sync_path(partial_);
    fs::rename(partial_, out_);
    say(set);
  }

  void say(const PseudoLabelSet& set) const {
    double lowest = 1;
    std::size_t dropped = 0;
    for (const PseudoLabel& label : set.cases) {
      dropped += label.dropped.empty() ? 0 : 1;
      lowest = label.dropped.empty() ? std::min(lowest, label.confidence) : lowest;
    }
    log::info(config_.out + ": " + std::to_string(set.cases.size() - dropped) + " masks, " +
              std::to_string(dropped) + " left out, lowest confidence " + std::to_string(lowest));
  }

  const PseudoLabelConfig& config_;
  Communicator& communicator_;
  fs::path out_, partial_;
  PredictOptions options_;
  Manifest manifest_;
  std::vector<Model> models_;
  std::vector<PredictInput> inputs_;
};

}  // namespace

void PseudoLabelConfig::declare(ConfigSchema& schema) {
  schema.add("model", model, "Teachers: model or run folders; several are averaged");
  schema.add("data", data, "The cohort; it is only read", {}, Effect::kNone);
  schema.add("out", out, "Folder of the pseudo-label set to be made", {}, Effect::kNone);
  schema.add("sequence", sequence, "Sequences to label; empty: the plan's channels");
  schema.add("split", split, "Splits to label; others than train need allow_transductive");
  schema.add("domain", domain, "Domains to label; empty: all");
  schema.add("allow_transductive", allow_transductive,
             "Let images of other splits than train in; evaluate counts them");
  schema.add("min_confidence", min_confidence, "Leave out masks of less confidence",
             Range{.low = 0, .high = 1});
  schema.add("drop_lowest", drop_lowest, "Share of the masks to leave out, least confident first",
             Range{.low = 0, .high = 1});
  schema.add("ignore_below", ignore_below,
             "Voxels whose top class is less probable are ignored in training; 0: none",
             Range{.low = 0, .high = 1});
  schema.add("largest_component", largest_component,
             "Keep the largest component only (26-connected)");
  schema.add("share_tiles", share_tiles,
             "Cases that do not fill a last round of ranks are shared by all, tile by tile", {},
             Effect::kNone);
  declare_inference(schema);
}

void run_pseudo_label_command(const PseudoLabelConfig& config, bool dry_run,
                              Communicator& communicator) {
  Labelling labelling(config, communicator);
  if (!labelling.open(dry_run)) {
    log::info(config.out + ": was made with these very teachers and options; nothing to do");
    return;
  }
  if (dry_run) {
    log::info("would label " + std::to_string(labelling.cases()) + " images into " + config.out);
    return;
  }
  labelling.run();
}

}  // namespace hepar
