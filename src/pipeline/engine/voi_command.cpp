#include "hepar/pipeline/voi_command.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "case_run.h"
#include "hepar/comm/together.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/core/version.h"
#include "hepar/image/nifti.h"
#include "hepar/image/regrid.h"
#include "hepar/io/lineage.h"
#include "hepar/io/manifest.h"
#include "voi_set.h"

namespace hepar {
namespace {

constexpr std::size_t kCasesPerShard = 16;

/// Which images of the cohort are meant by an input.
struct Member {
  const CaseRecord* record;
  const SequenceRecord* sequence;
};

/// A cohort's sequences, all or those asked for.
std::vector<std::string> sequences_of(const VoiConfig& config, const Manifest& manifest) {
  std::set<std::string> names;
  for (const CaseRecord& record : manifest.cases) {
    for (const SequenceRecord& sequence : record.sequences) {
      names.insert(sequence.sequence);
    }
  }
  for (const std::string& name : config.sequence) {
    require<ConfigError>(names.contains(name), "sequence: " + config.data + " has no '" + name +
                                                   "'; it has " +
                                                   join({names.begin(), names.end()}, ", "));
  }
  return config.sequence.empty() ? std::vector<std::string>{names.begin(), names.end()}
                                 : config.sequence;
}

class VoiMaking {
 public:
  VoiMaking(const VoiConfig& config, Communicator& communicator)
      : config_(config),
        communicator_(communicator),
        out_(config.out),
        partial_(config.out + ".partial") {}

  /// Everything that can be refused before the first image. False: OUT is there already.
  bool open(bool dry_run) {
    std::string state;
    together(communicator_, [&] {
      require<ConfigError>(!config_.data.empty() && !config_.out.empty(),
                           "data, out: a cohort and a folder are needed (--data COHORT --out SET)");
      options_ = predict_options(config_, communicator_);
      models_ = load_models(config_.model, options_.compute);
      liver_ = liver_label();
      manifest_ = read_manifest(config_.data);
      open_inputs();
      if (communicator_.is_root() && !dry_run) {
        state = open_folder();
      }
    });
    return communicator_.broadcast(state, 0) != "done";
  }

  [[nodiscard]] std::size_t volumes() const { return inputs_.size(); }

  void run() {
    segment();
    together(communicator_, [&] { write_shards(); });
    communicator_.barrier();
    together(communicator_, [&] {
      if (communicator_.is_root()) {
        publish();
      }
    });
  }

 private:
  [[nodiscard]] std::int16_t liver_label() const {
    const Plan& plan = models_.front().plan;
    const auto found = std::find(plan.classes.begin(), plan.classes.end(), "liver");
    require<ConfigError>(found != plan.classes.end(), "model: " + config_.model.front() +
                                                          ": wanted a class 'liver', found " +
                                                          join(plan.classes, ", "));
    require<ConfigError>(plan.channels.size() == 1,
                         "model: " + config_.model.front() +
                             ": wanted a network of one channel, found " +
                             std::to_string(plan.channels.size()));
    return static_cast<std::int16_t>(found - plan.classes.begin());
  }

  /// Inputs by case: those of one case stand together.
  void open_inputs() {
    InputQuery query{.in = config_.data,
                     .split = config_.split,
                     .sequence = sequences_of(config_, manifest_),
                     .domain = config_.domain};
    inputs_ = predict_inputs(query, models_.front().plan);
    std::map<std::string, const CaseRecord*> records;
    for (const CaseRecord& record : manifest_.cases) {
      records[record.id] = &record;
    }
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      PredictInput& input = inputs_[i];
      const CaseRecord* record = records.at(input.identity.case_id);
      const auto sequence =
          std::find_if(record->sequences.begin(), record->sequences.end(),
                       [&](const SequenceRecord& s) { return s.sequence == input.sequence; });
      members_.push_back({record, &*sequence});
      cases_[record->id].push_back(i);
      input.name = record->id + "_" + input.sequence;
      input.read = [read = input.read, edge = config_.rule.spacing_mm] {
        ReadImages images = read();
        Image<float>& image = images.channels.front();
        image = regrid_linear(image, isotropic_grid(image.grid, edge), 1);
        return images;
      };
    }
  }

  /// All that the set depends on.
  [[nodiscard]] Json identity() const {
    VoiConfig config = config_;
    Json json{{"cohort", manifest_hash(manifest_)},
              {"keys", result_keys(config)},
              {"segmenters", Json::array()}};
    json["keys"].erase("model");  // the weights say it
    for (const Model& model : models_) {
      json["segmenters"].push_back(model.weights_hash);
    }
    return json;
  }

  /// Rank 0: "done" when OUT is what is asked for, else OUT.partial is ready to be continued.
  [[nodiscard]] std::string open_folder() const {
    if (fs::exists(out_)) {
      require<ConfigError>(
          fs::exists(out_ / "voi.json") && read_json(out_ / "voi.json") == identity(),
          config_.out + ": holds something else already; choose another --out");
      return "done";
    }
    const fs::path begun = partial_ / "voi.json";
    if (fs::exists(begun) && read_json(begun) != identity()) {
      log::warn(partial_.string() + ": was begun with other models or keys; starting anew");
      fs::remove_all(partial_);
    }
    make_writable_directory(partial_ / "masks");
    make_writable_directory(partial_ / "records");
    write_json(begun, identity());
    return "open";
  }

  [[nodiscard]] fs::path mask_file(const PredictInput& input) const {
    return partial_ / "masks" / (input.name + ".nii.gz");
  }

  /// Masks on the cubic grids, one file an image; those that are there stay.
  void segment() {
    const std::vector<std::size_t> todo = missing_cases(
        inputs_, [&](const PredictInput& input) { return fs::exists(mask_file(input)); },
        communicator_);
    const CaseRunOutcome outcome =
        run_cases({.title = "volumes of interest",
                   .inputs = inputs_,
                   .models = models_,
                   .options = options_,
                   .keep = [&](const PredictInput& input,
                               const Prediction& answer) { keep(input, answer.labels); }},
                  todo, communicator_);
    together(communicator_,
             [&] { require<DataError>(outcome.problems.empty(), join(outcome.problems, "\n")); });
  }

  void keep(const PredictInput& input, LabelImage labels) const {
    for (std::int16_t& label : labels.voxels) {
      label = static_cast<std::int16_t>(label == liver_);
    }
    write_nifti(mask_file(input), from_labels(labels));
  }

  [[nodiscard]] VoiSource source(std::size_t index) const {
    const Member& member = members_[index];
    const Grid grid = isotropic_grid(member.sequence->grid, config_.rule.spacing_mm);
    VoiSource source;
    source.record.case_id = member.record->id;
    source.record.sequence = member.sequence->sequence;
    source.record.patient = member.record->patient;
    source.record.domain = member.record->domain;
    source.record.split = member.record->split;
    source.record.stage = member.record->stage;
    source.record.source_axis = member.sequence->source_axis;
    source.record.flipped = member.sequence->flipped;
    source.record.source_hashes = {member.sequence->image.hash};
    source.image = [this, index] { return std::move(inputs_[index].read().channels.front()); };
    source.mask = [this, index, grid] {
      const fs::path file = mask_file(inputs_[index]);
      LabelImage mask = to_labels(read_nifti(file), file.string());
      require<DataError>(mask.grid.size == grid.size,
                         file.string() + ": is not on this image's grid; remove it");
      mask.grid = grid;  // NIfTI keeps single precision
      return mask;
    };
    source.truth = [this, member, grid]() -> std::optional<LabelImage> {
      const fs::path file =
          fs::path(config_.truth) / member.record->id / (member.sequence->sequence + ".nii.gz");
      if (config_.truth.empty() || !fs::exists(file)) {
        return std::nullopt;
      }
      const StoredImage stored = read_nifti(file);
      return regrid_nearest(to_labels(stored, file.string()), grid, options_.threads);
    };
    return source;
  }

  /// This rank's share of the shards: each holds the same cases whatever the number of ranks.
  void write_shards() const {
    std::vector<const std::vector<std::size_t>*> by_case;
    for (const auto& [id, indices] : cases_) {
      by_case.push_back(&indices);
    }
    const auto ranks = static_cast<std::size_t>(communicator_.size());
    for (std::size_t shard = static_cast<std::size_t>(communicator_.rank());
         shard * kCasesPerShard < by_case.size(); shard += ranks) {
      PreparedShardWriter writer(
          {.folder = partial_, .shard = static_cast<int>(shard), .threads = options_.threads});
      Json record{{"cases", Json::array()}, {"audit", Json::array()}};
      const std::size_t end = std::min(by_case.size(), (shard + 1) * kCasesPerShard);
      for (std::size_t i = shard * kCasesPerShard; i < end; ++i) {
        std::vector<VoiSource> sources;
        for (const std::size_t index : *by_case[i]) {
          sources.push_back(source(index));
        }
        const WrittenVois written = write_vois(sources, config_.rule, options_.threads, writer);
        for (const PreparedCase& one : written.records) {
          record["cases"].push_back(to_json(one));
        }
        for (const VoiAudit& line : written.audit) {
          record["audit"].push_back(to_json(line));
        }
      }
      writer.close();
      write_json(partial_ / "records" / ("shard-" + std::to_string(shard) + ".json"), record);
    }
  }

  /// A set's plan says its grid and classes; its network is only what the segmenter's was.
  [[nodiscard]] Plan plan() const {
    Plan plan = models_.front().plan;
    const double edge = config_.rule.spacing_mm;
    plan.spacing_mm = {edge, edge, edge};
    plan.transpose = {0, 1, 2};
    plan.channels = {"VOI"};
    plan.classes = {"background", "liver"};
    plan.normalization.assign(1, {.kind = NormalizationKind::kZScore});
    plan.reasons = {{"spacing_mm", "voi: spacing_mm"},
                    {"patch_size", "the segmenter's; volumes of interest keep their own size"}};
    return plan;
  }

  void publish() const {
    PreparedIndex index;
    index.tool_version = version();
    index.source_hash = manifest_hash(manifest_);
    index.labels = {{"background", 0}, {"liver", 1}};
    index.plan_yaml = to_yaml(plan());
    std::vector<VoiAudit> audit;
    for (std::size_t shard = 0; shard * kCasesPerShard < cases_.size(); ++shard) {
      const fs::path file = partial_ / "records" / ("shard-" + std::to_string(shard) + ".json");
      const Json record = read_json(file);
      for (const Json& one : record.at("cases")) {
        index.cases.push_back(prepared_case_from_json(one, file.string()));
      }
      for (const Json& line : record.at("audit")) {
        audit.push_back(voi_audit_from_json(line, file.string()));
      }
    }
    index.provenance = {{"voi", identity()}};
    write_prepared_index(partial_, std::move(index));
    write_lineage(partial_, lineage());
    write_atomically(partial_ / "audit.csv", audit_csv(audit));
    fs::remove_all(partial_ / "records");
    fs::remove_all(partial_ / "masks");
    sync_path(partial_);
    fs::rename(partial_, out_);
    log::print(audit_summary(audit));
  }

  /// The images are used; so are the segmenters, with whatever they learnt from.
  [[nodiscard]] Lineage lineage() const {
    Lineage lineage;
    for (const Model& model : models_) {
      lineage.merge(model.lineage);
    }
    for (const PredictInput& input : inputs_) {
      lineage.add(input.identity, CaseUse::kImage);
    }
    return lineage;
  }

  const VoiConfig& config_;
  Communicator& communicator_;
  fs::path out_, partial_;
  PredictOptions options_;
  std::int16_t liver_ = 1;
  Manifest manifest_;
  std::vector<Model> models_;
  std::vector<PredictInput> inputs_;
  std::vector<Member> members_;                            ///< of inputs_
  std::map<std::string, std::vector<std::size_t>> cases_;  ///< id -> inputs
};

}  // namespace

void VoiConfig::declare(ConfigSchema& schema) {
  schema.add("model", model, "Segmenters: model or run folders; several are averaged");
  schema.add("data", data, "The cohort; it is only read", {}, Effect::kNone);
  schema.add("out", out, "Folder of the set to be made", {}, Effect::kNone);
  schema.add("truth", truth,
             "Folder CASE/SEQUENCE.nii.gz of true masks to measure against; never used otherwise",
             {}, Effect::kNone);
  schema.add("sequence", sequence, "Sequences to take; empty: all");
  schema.add("split", split, "Splits to take; empty: all");
  schema.add("domain", domain, "Domains to take; empty: all");
  rule.declare(schema);
  declare_inference(schema);
}

void run_voi_command(const VoiConfig& config, bool dry_run, Communicator& communicator) {
  VoiMaking making(config, communicator);
  if (!making.open(dry_run)) {
    log::info(config.out + ": was made with these very models and keys; nothing to do");
    return;
  }
  if (dry_run) {
    log::info("would make " + std::to_string(making.volumes()) + " volumes in " + config.out);
    return;
  }
  making.run();
}

}  // namespace hepar
