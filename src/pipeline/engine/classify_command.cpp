#include "hepar/pipeline/classify_command.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "hepar/comm/together.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/json.h"
#include "hepar/core/log.h"
#include "hepar/core/progress.h"
#include "hepar/core/random.h"
#include "hepar/core/text.h"
#include "hepar/io/prepared_set.h"
#include "hepar/nn/class_activation.h"
#include "hepar/train/device.h"
#include "hepar/train/staging_model.h"
#include "hepar/train/staging_trainer.h"
#include "hepar/train/transfer.h"

namespace hepar {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

/// A volume and the models that score it.
struct Volume {
  std::size_t index;  ///< of the set's cases
  std::vector<const StagingModel*> models;
};

/// What one run of models says of one volume.
struct VolumeScore {
  std::size_t index = 0;
  std::uint64_t seed = 0;
  std::string fold = {};  ///< empty: not held out
  std::array<double, 4> stages{};
  double q4 = 0, q1 = 0;
  int call = 0;
  std::optional<double> cam_inside = {};
  double mask_share = 0;
};

/// A row of scores.csv waits for others in a text: ranks exchange texts.
struct Row {
  std::string key, text;
};

class Classifying {
 public:
  Classifying(const ClassifyConfig& config, Communicator& communicator)
      : config_(config), communicator_(communicator) {}

  void open() {
    together(communicator_, [&] {
      require<ConfigError>(!config_.in.empty() && !config_.out.empty(),
                           "in, out: volumes and a folder are needed (--in VOI --out DIR)");
      require<ConfigError>(!config_.model.empty(),
                           "model: a staging model or run folder is needed (--model DIR)");
      compute_ = choose_compute(config_.compute, communicator_);
      set_ = std::make_unique<PreparedSet>(config_.in);
      for (const std::string& folder : config_.model) {
        models_.push_back(load_staging_model(model_folder_of(folder)));
        models_.back().network->use(compute_);
        require<ConfigError>(models_.back().options.head.name == models_.front().options.head.name,
                             "model: " + folder + " has head " + models_.back().options.head.name +
                                 ", " + config_.model.front() + " has " +
                                 models_.front().options.head.name);
      }
      choose();
    });
  }

  [[nodiscard]] std::size_t volumes() const { return chosen_.size(); }

  void run() {
    std::vector<Row> rows;
    together(communicator_, [&] { rows = own_share(); });
    Json mine = Json::array();
    for (const Row& row : rows) {
      mine.push_back({row.key, row.text});
    }
    std::map<std::string, std::string> all;
    for (const std::string& text : communicator_.all_gather(mine.dump())) {
      for (const Json& row : Json::parse(text)) {
        all.emplace(row[0].get<std::string>(), row[1].get<std::string>());
      }
    }
    together(communicator_, [&] {
      if (communicator_.is_root()) {
        publish(all);
      }
    });
  }

 private:
  [[nodiscard]] CaseIdentity identity(std::size_t index) const {
    const PreparedCase& record = set_->cases()[index];
    return {.cohort = set_->source_hash(),
            .case_id = record.case_id,
            .images = {record.source_hashes.begin(), record.source_hashes.end()}};
  }

  /// The models that score a volume: with held_out those that kept its case from training.
  [[nodiscard]] std::vector<const StagingModel*> models_for(std::size_t index) const {
    const CaseIdentity who = identity(index);
    std::vector<const StagingModel*> found;
    for (const StagingModel& model : models_) {
      if (!config_.held_out || contains(model.held_out, who)) {
        found.push_back(&model);
      }
    }
    return found;
  }

  void choose() {
    std::set<std::string> learnt;
    for (std::size_t i = 0; i < set_->cases().size(); ++i) {
      const PreparedCase& record = set_->cases()[i];
      if (!takes(config_.split, record.split) || !takes(config_.sequence, record.sequence) ||
          !takes(config_.domain, record.domain)) {
        continue;
      }
      Volume volume{i, models_for(i)};
      if (volume.models.empty()) {
        continue;  // no fold held it out
      }
      for (const StagingModel* model : volume.models) {
        if (model->lineage.uses(identity(i), CaseUse::kStage)) {
          learnt.insert(record.case_id);
        }
      }
      chosen_.push_back(std::move(volume));
    }
    constexpr std::size_t kShown = 5;
    std::vector<std::string> shown(learnt.begin(), learnt.end());
    shown.resize(std::min(kShown, shown.size()));
    require<ConfigError>(learnt.empty(), config_.in + ": a model has learnt the stage of " +
                                             std::to_string(learnt.size()) + " of these cases (" +
                                             join(shown, ", ") +
                                             (learnt.size() > kShown ? ", …" : "") +
                                             "); choose others with split, or held_out=true");
    require<DataError>(!chosen_.empty(), config_.in + ": no volume to classify; check split, " +
                                             "sequence, domain and held_out");
  }

  std::vector<Row> own_share() {
    const at::NoGradGuard no_gradient;
    at::set_num_threads(1);  // more give sums other bits, and slow down volumes this small
    std::vector<Row> rows;
    const CaseList cases(*set_);
    Progress progress("classifying", static_cast<std::int64_t>(chosen_.size()),
                      communicator_.is_root());
    for (auto i = static_cast<std::size_t>(communicator_.rank()); i < chosen_.size();
         i += static_cast<std::size_t>(communicator_.size())) {
      const auto& [index, scorers] = chosen_[i];
      at::Tensor voi = voi_tensor(cases, index);
      if (config_.outside == "noise") {
        fill_outside(voi, index);
      }
      voi = voi.to(compute_.device);
      std::map<std::uint64_t, std::vector<const StagingModel*>> runs;
      for (const StagingModel* model : scorers) {
        runs[model->seed].push_back(model);
      }
      for (const auto& [seed, models] : runs) {
        const VolumeScore score = score_volume(voi, index, models);
        rows.push_back({key_of(index, seed), text_of(score)});
      }
      progress.advance(communicator_.size(), set_->cases()[index].id);
    }
    return rows;
  }

  /// The same noise whatever rank it is drawn on.
  void fill_outside(at::Tensor& voi, std::size_t index) const {
    RandomStream random({.seed = 0,
                         .purpose = Purpose::kAugmentation,
                         .step = static_cast<std::uint64_t>(index),
                         .slot = 0});
    const std::int64_t channels = voi.size(1) - 1;
    const std::int64_t voxels = voi.numel() / voi.size(1);
    auto* data = voi.mutable_data_ptr<float>();
    const float* mask = data + channels * voxels;
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t v = 0; v < voxels; ++v) {
        const auto noise = static_cast<float>(random.normal());
        data[c * voxels + v] = mask[v] > 0 ? data[c * voxels + v] : noise;
      }
    }
  }

  [[nodiscard]] VolumeScore score_volume(const at::Tensor& voi, std::size_t index,
                                         const std::vector<const StagingModel*>& models) const {
    const Head& head = models.front()->network->head();
    const auto n = static_cast<double>(models.size());
    at::Tensor logits, stages, q4, q1;
    VolumeScore result{.index = index, .seed = models.front()->seed};
    result.fold = config_.held_out ? models.front()->fold : "";
    double inside = 0;
    for (const StagingModel* model : models) {
      const StagingOutput output = model->network->forward(voi);
      const StageScores scores = model->network->head().decode(output.logits);
      logits = logits.defined() ? logits + output.logits / n : output.logits / n;
      stages = stages.defined() ? stages + scores.probabilities / n : scores.probabilities / n;
      q4 = q4.defined() ? q4 + scores.q4 / n : scores.q4 / n;
      q1 = q1.defined() ? q1 + scores.q1 / n : scores.q1 / n;
      const at::Tensor mask =
          mask_on_grid(voi.narrow(1, voi.size(1) - 1, 1), output.features.sizes().slice(2), "soft");
      const std::optional<double> share = inside_of(*model, output, mask, index);
      inside += share.value_or(std::nan("")) / n;
      result.mask_share = mask.mean().item<double>();
    }
    StageScores fused = head.averages_logits()
                            ? head.decode(logits)
                            : StageScores{stages, q4, q1, at::zeros({1}, at::kBool)};
    const at::Tensor four = fused.probabilities.to(at::kDouble).to(at::kCPU).contiguous();
    for (std::size_t s = 0; s < result.stages.size(); ++s) {
      result.stages[s] = four[0][static_cast<std::int64_t>(s)].item<double>();
    }
    result.q4 = fused.q4.item<double>();
    result.q1 = fused.q1.item<double>();
    result.call = static_cast<int>(head.call(fused).stage.item<std::int64_t>()) + 1;
    if (std::isfinite(inside)) {
      result.cam_inside = inside;
    }
    return result;
  }

  /// Of the true stage's evidence, or of the predicted one's where the stage is not known.
  [[nodiscard]] std::optional<double> inside_of(const StagingModel& model,
                                                const StagingOutput& output, const at::Tensor& mask,
                                                std::size_t index) const {
    const Head& head = model.network->head();
    if (!head.no_activation_loss().empty()) {
      return std::nullopt;
    }
    const std::optional<int> stage = set_->cases()[index].stage;
    const at::Tensor label =
        at::tensor({static_cast<std::int64_t>(stage.value_or(1) - 1)}, at::kLong)
            .to(compute_.device);
    const at::Tensor maps = class_activation_maps(output.features, head.class_weight());
    const at::Tensor evidence = head.evidence(
        maps, {output.logits, label}, stage ? EvidenceOf::kTrueStage : EvidenceOf::kPredicted);
    const double share = inside_share(evidence, mask).evidence.mean().item<double>();
    return std::isfinite(share) ? std::optional(share) : std::nullopt;
  }

  [[nodiscard]] std::string key_of(std::size_t index, std::uint64_t seed) const {
    char text[32];
    std::snprintf(text, sizeof text, "%08zu %08llu", index, static_cast<unsigned long long>(seed));
    return text;
  }

  [[nodiscard]] bool has_four() const {
    return models_.front().network->head().four_columns().empty();
  }

  [[nodiscard]] std::string header() const {
    return std::string("case,sequence,stage,domain,split,seed,") +
           (config_.held_out ? "fold," : "") + "q4,q1," + (has_four() ? "p1,p2,p3,p4," : "") +
           "call,fallback,cam_inside,mask_share\n";
  }

  [[nodiscard]] std::string text_of(const VolumeScore& score) const {
    const PreparedCase& record = set_->cases()[score.index];
    std::vector<std::string> cells{
        record.case_id, record.sequence, record.stage ? std::to_string(*record.stage) : "",
        record.domain,  record.split,    std::to_string(score.seed)};
    if (config_.held_out) {
      cells.push_back(score.fold);
    }
    cells.push_back(number(score.q4));
    cells.push_back(number(score.q1));
    for (std::size_t s = 0; has_four() && s < score.stages.size(); ++s) {
      cells.push_back(number(score.stages[s]));
    }
    cells.push_back(std::to_string(score.call));
    cells.push_back(record.label == "none" ? "1" : "0");
    cells.push_back(score.cam_inside ? number(*score.cam_inside) : "");
    cells.push_back(number(score.mask_share));
    return join(cells, ",") + "\n";
  }

  void publish(const std::map<std::string, std::string>& rows) const {
    const fs::path out(config_.out);
    make_writable_directory(out);
    std::string csv = header();
    for (const auto& [key, text] : rows) {
      csv += text;
    }
    Lineage lineage = read_lineage(config_.in).value_or(Lineage{});
    for (const StagingModel& model : models_) {
      lineage.merge(model.lineage);
    }
    write_lineage(out, lineage);
    const StagingModel& first = models_.front();
    write_json(out / "classify.json", {{"head", first.options.head.name},
                                       {"models", config_.model},
                                       {"train_prior", first.options.stage_prior},
                                       {"sampler_prior", first.sampler},
                                       {"four_columns", first.network->head().four_columns()},
                                       {"outside", config_.outside}});
    write_atomically(out / "scores.csv", csv);
    log::info("scores of " + std::to_string(chosen_.size()) +
              " volumes: " + (out / "scores.csv").string());
  }

  const ClassifyConfig& config_;
  Communicator& communicator_;
  Compute compute_;
  std::unique_ptr<PreparedSet> set_;
  std::vector<StagingModel> models_;
  std::vector<Volume> chosen_;
};

}  // namespace

void ClassifyConfig::declare(ConfigSchema& schema) {
  schema.add("model", model, "Staging models or run folders; those of one seed are averaged");
  schema.add("in", in, "Set of volumes of interest (hepar voi)", {}, Effect::kNone);
  schema.add("out", out, "Folder for the scores", {}, Effect::kNone);
  schema.add("split", split, "Splits to classify; empty: all");
  schema.add("sequence", sequence, "Sequences to classify; empty: all");
  schema.add("domain", domain, "Domains to classify; empty: all");
  schema.add("held_out", held_out,
             "Each model scores the cases its fold kept from it (out-of-fold scores)");
  schema.add_choice("outside", outside, {"keep", "noise"},
                    "What is not liver: as it is, or replaced by noise");
  compute.declare(schema);
}

void run_classify_command(const ClassifyConfig& config, bool dry_run, Communicator& communicator) {
  Classifying classifying(config, communicator);
  classifying.open();
  if (dry_run) {
    log::info("would classify " + std::to_string(classifying.volumes()) + " volumes into " +
              config.out);
    return;
  }
  classifying.run();
}

}  // namespace hepar
