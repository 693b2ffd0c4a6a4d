#include "hepar/prep/prepare.h"

#include <algorithm>
#include <optional>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/log.h"
#include "hepar/core/parallel.h"
#include "hepar/core/version.h"
#include "hepar/image/nifti.h"
#include "hepar/image/preprocess.h"
#include "hepar/io/lineage.h"
#include "hepar/io/prepared_writer.h"
#include "hepar/io/pseudo_labels.h"
#include "hepar/plan/plan.h"
#include "prepare/label_map.h"
#include "prepare/samples.h"
#include "sets/arrays.h"
#include "sets/from_root.h"
#include "sets/sharded_work.h"

namespace hepar {
namespace {

/// Raised when the same cohort and plan give other shards than before.
constexpr int kRecipe = 2;

class Preparation {
 public:
  Preparation(const PrepareConfig& config, Communicator& ranks)
      : config_(config),
        ranks_(ranks),
        options_{config.out, "prepare", config.exclude_bad},
        builder_(options_, ranks) {}

  void run() {
    together(ranks_, [&] { open(); });
    refuse_problems(options_, choice_.problems, manifest_.cases.size());
    if (config_.dry_run) {
      log::info("dry run: " + std::to_string(choice_.samples.size()) +
                " samples would be prepared");
      return;
    }
    if (builder_.already_done(tasks_)) {
      log::info(config_.out + ": was made from this very input; nothing to do");
      return;
    }
    finish(builder_.run(tasks_, [&](std::size_t shard, Progress& progress) {
      return write_shard(static_cast<int>(shard), progress);
    }));
  }

 private:
  void open() {
    plan_ = read_plan(config_.plan);
    manifest_ = read_manifest(config_.data);
    rule_ = {plan_.spacing_mm, plan_.transpose, plan_.normalization};
    open_pseudo_labels();
    choice_ = choose_samples({manifest_, plan_, pseudo_ ? &*pseudo_ : nullptr}, config_.select);
    map_labels();
    if (config_.exclude_bad) {
      left_out_ = std::move(choice_.problems);
      choice_.problems.clear();
    }
    std::vector<std::int64_t> bytes;
    for (const Sample& sample : choice_.samples) {
      bytes.push_back(prepared_bytes(sample, manifest_, plan_));
    }
    tasks_ = deal_to_shards(bytes, config_.shard_mb * 1'000'000);
    const std::string common = std::to_string(kRecipe) + manifest_hash(manifest_) + to_yaml(plan_) +
                               (pseudo_ ? pseudo_labels_hash(*pseudo_) : "");
    for (ShardTask& task : tasks_) {
      std::string text = common;
      for (const std::size_t i : task.items) {
        text += "\n" + choice_.samples[i].id;
      }
      task.inputs = to_hex(xxh64(text));
    }
  }

  void open_pseudo_labels() {
    if (config_.pseudo.empty()) {
      return;
    }
    pseudo_ = read_pseudo_labels(config_.pseudo);
    require<DataError>(pseudo_->cohort_hash == manifest_hash(manifest_),
                       config_.pseudo + ": wanted labels of the cohort " + config_.data + " (" +
                           manifest_hash(manifest_) + "), found those of " + pseudo_->cohort_hash);
  }

  /// Only for masks that are used: an unlabelled cohort needs no class names.
  void map_labels() {
    const auto any = [&](auto has) {
      return std::any_of(choice_.samples.begin(), choice_.samples.end(), has);
    };
    if (any([](const Sample& sample) { return sample.mask.has_value(); })) {
      manual_map_.emplace(manifest_.labels, plan_.classes, config_.data);
    }
    if (any([](const Sample& sample) { return sample.pseudo != nullptr; })) {
      pseudo_map_.emplace(pseudo_->labels, plan_.classes, config_.pseudo);
    }
  }

  LabelImage read_pseudo_label(const Sample& sample) const {
    const fs::path file = fs::path(config_.pseudo) / sample.pseudo->file;
    const std::string found = to_hex(xxh64_of_file(file.string()));
    require<DataError>(found == sample.pseudo->hash, file.string() + ": wanted xxh64 " +
                                                         sample.pseudo->hash + ", found " + found);
    LabelImage labels = to_labels(read_nifti(file), file.string());
    const Grid& grid = manifest_.cases[sample.case_index].sequences[sample.sequences.front()].grid;
    require<DataError>(same_grid(labels.grid, grid),
                       file.string() + ": lies on another grid than its image");
    labels.grid = grid;  // the very numbers: the file holds single precision
    return labels;
  }

  ShardResult write_shard(int shard, Progress& progress) {
    ShardResult result;
    PreparedShardWriter writer({builder_.partial(), shard, threads()});
    CohortReader cohort(config_.data, manifest_);
    for (const std::size_t i : tasks_[static_cast<std::size_t>(shard)].items) {
      const Sample& sample = choice_.samples[i];
      PreparedImage image;
      try {
        image = read_sample(sample, cohort);
      } catch (const DataError& e) {
        result.problems.push_back({sample.id, e.what()});
        continue;
      }
      if (result.problems.empty() || config_.exclude_bad) {
        result.records.push_back(to_json(write_sample(sample, image, writer)));
      }
      progress.advance(1, sample.id);
    }
    if (result.problems.empty() || config_.exclude_bad) {
      writer.close();
    }
    return result;
  }

  PreparedImage read_sample(const Sample& sample, CohortReader& cohort) const {
    std::vector<Image<float>> channels;
    for (const std::size_t sequence : sample.sequences) {
      channels.push_back(cohort.image(sample.case_index, sequence));
    }
    std::optional<LabelImage> labels;
    if (sample.mask) {
      labels = cohort.mask(sample.case_index, *sample.mask);
      manual_map_->apply(*labels, "case " + sample.id);
    } else if (sample.pseudo != nullptr) {
      labels = read_pseudo_label(sample);
      pseudo_map_->apply(*labels, "case " + sample.id);
    }
    return preprocess(channels, labels ? &*labels : nullptr, rule_, threads(), "case " + sample.id);
  }

  PreparedCase write_sample(const Sample& sample, const PreparedImage& image,
                            PreparedShardWriter& writer) const {
    PreparedSample prepared;
    prepared.record = record_of(sample, manifest_);
    prepared.record.size = image.geometry.size;
    prepared.record.canonical = image.geometry.canonical;
    prepared.record.crop = image.geometry.crop;
    prepared.record.transpose = image.geometry.transpose;
    prepared.channels.assign(image.channels.begin(), image.channels.end());
    prepared.labels = image.labels;
    return writer.write(prepared);
  }

  /// What a reader of the set may want to know of its source.
  [[nodiscard]] Json provenance() const {
    Json json{{"source", manifest_.source}, {"label_map", Json::object()}};
    if (manual_map_) {
      json["label_map"]["manual"] = manual_map_->to_json();
    }
    if (pseudo_map_) {
      json["label_map"]["pseudo"] = pseudo_map_->to_json();
    }
    json["normalization"] = Json::array();
    for (std::size_t i = 0; i < plan_.normalization.size(); ++i) {
      json["normalization"].push_back(
          {{"channel", i < plan_.channels.size() ? plan_.channels[i] : ""},
           {"rule", to_string(plan_.normalization[i].kind)}});
    }
    if (pseudo_) {
      json["pseudo_labels"] = {{"hash", pseudo_labels_hash(*pseudo_)},
                               {"teachers", pseudo_->teachers},
                               {"options", pseudo_->options}};
    }
    return json;
  }

  [[nodiscard]] bool has_ignore() const {
    const bool manual = manual_map_ && manifest_.labels.contains("ignore");
    return manual || (pseudo_map_ && pseudo_->labels.contains("ignore"));
  }

  void write_index(PreparedIndex index) const {
    write_prepared_index(builder_.partial(), std::move(index));
    if (pseudo_) {  // what its teachers learnt from goes with the masks
      write_lineage(builder_.partial(), read_lineage(config_.pseudo).value_or(Lineage{}));
    }
  }

  void finish(const std::vector<ShardResult>& results) {
    PreparedIndex index{.tool_version = version(),
                        .source_hash = manifest_hash(manifest_),
                        .labels = prepared_labels(plan_.classes, has_ignore()),
                        .plan_yaml = to_yaml(plan_),
                        .cases = {},
                        .provenance = provenance()};
    std::vector<Problem> problems = left_out_;
    for (const ShardResult& result : results) {
      problems.insert(problems.end(), result.problems.begin(), result.problems.end());
      for (const Json& record : result.records) {
        index.cases.push_back(prepared_case_from_json(record, builder_.partial().string()));
      }
    }
    if (!config_.exclude_bad) {
      refuse_problems(options_, problems, choice_.samples.size());
    }
    require<AgreedError>(!index.cases.empty(),
                         "prepare: no usable sample is left; nothing is written");
    const std::size_t samples = index.cases.size();
    builder_.publish(tasks_, [&] { write_index(std::move(index)); });
    log::info(config_.out + ": " + std::to_string(samples) + " samples in " +
              std::to_string(tasks_.size()) + " shards");
    for (const Problem& problem : problems) {
      log::info("left out " + problem.id + ": " + problem.text);
    }
  }

  [[nodiscard]] int threads() const {
    return config_.threads > 0 ? static_cast<int>(config_.threads)
                               : std::max(1, usable_processors() / ranks_.local_size());
  }

  const PrepareConfig& config_;
  Communicator& ranks_;
  SetBuilder::Options options_;
  SetBuilder builder_;
  Plan plan_;
  Manifest manifest_;
  PreprocessRule rule_;
  std::optional<PseudoLabelSet> pseudo_;
  SampleChoice choice_;
  std::optional<LabelMap> manual_map_, pseudo_map_;
  std::vector<Problem> left_out_;
  std::vector<ShardTask> tasks_;
};

}  // namespace

void SampleSelection::declare(ConfigSchema& schema) {
  schema.add("sequence", sequence, "Sequences to take; empty takes the plan's channels");
  schema.add("split", split, "Splits to take: train, val, test_id, …; empty takes all");
  schema.add("label", label, "Kinds of mask to take: manual, pseudo, none; empty takes all");
  schema.add("domain", domain, "Domains to take; empty takes all");
}

void PrepareConfig::declare(ConfigSchema& schema) {
  schema.add("data", data, "The cohort", {}, Effect::kNone);
  schema.add("plan", plan, "plan.yaml; for an external set the target's", {}, Effect::kNone);
  schema.add("out", out, "Folder of the prepared set to be made", {}, Effect::kNone);
  schema.add("pseudo", pseudo, "Pseudo-label set: masks for images without a manual one", {},
             Effect::kNone);
  select.declare(schema);
  schema.add("exclude_bad", exclude_bad, "Leave out samples that cannot be prepared");
  schema.add("shard_mb", shard_mb, "Voxels a shard holds at most, MB", Range{.low = 1});
  schema.add("threads", threads,
             "Threads of a rank; 0 shares the host's processors among its ranks", Range{.low = 0},
             Effect::kNone);
}

void prepare(const PrepareConfig& config, Communicator& ranks) {
  together(ranks, [&] {
    require<ConfigError>(!config.data.empty(), "prepare: --data is missing: the cohort");
    require<ConfigError>(!config.plan.empty(), "prepare: --plan is missing: see hepar plan");
    require<ConfigError>(!config.out.empty(),
                         "prepare: --out is missing: the prepared set to be made");
  });
  Preparation(config, ranks).run();
}

}  // namespace hepar
