#include "hepar/prep/prepare.h"

#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/log.h"
#include "hepar/core/parallel.h"
#include "hepar/core/version.h"
#include "hepar/image/orientation.h"
#include "hepar/image/preprocess.h"
#include "hepar/io/prepared_writer.h"
#include "hepar/plan/plan.h"
#include "prepare/samples.h"
#include "sets/arrays.h"
#include "sets/from_root.h"
#include "sets/sharded_work.h"

namespace hepar {
namespace {

/// Raised when the same cohort and plan give other shards than before.
constexpr int kRecipe = 1;

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
    choice_ = choose_samples(manifest_, plan_, config_.select);
    if (config_.exclude_bad) {
      left_out_ = std::move(choice_.problems);
      choice_.problems.clear();
    }
    std::vector<std::int64_t> bytes;
    for (const Sample& sample : choice_.samples) {
      bytes.push_back(prepared_bytes(sample, manifest_, plan_));
    }
    tasks_ = deal_to_shards(bytes, config_.shard_mb * 1'000'000);
    const std::string common = std::to_string(kRecipe) + manifest_hash(manifest_) + to_yaml(plan_);
    for (ShardTask& task : tasks_) {
      std::string text = common;
      for (const std::size_t i : task.items) {
        text += "\n" + choice_.samples[i].id;
      }
      task.inputs = to_hex(xxh64(text));
    }
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

  void finish(const std::vector<ShardResult>& results) {
    PreparedIndex index{version(), manifest_hash(manifest_), manifest_.labels, to_yaml(plan_), {}};
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
    builder_.publish(tasks_, [&] { write_prepared_index(builder_.partial(), std::move(index)); });
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
  SampleChoice choice_;
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
