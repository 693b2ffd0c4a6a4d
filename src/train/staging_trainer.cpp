#include "hepar/train/staging_trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/core/log.h"
#include "hepar/data/patch_loader.h"
#include "hepar/data/stage_sampler.h"
#include "hepar/train/staging_model.h"
#include "training_data.h"
#include "training_run.h"

namespace hepar {
namespace {

constexpr std::int64_t kDefaultBatch = 8;
constexpr std::int64_t kMostShards = 8;
constexpr std::size_t kMeasuredVolumes = 192;  // for the moments of features

/// The stem's kernel is 7 voxels wide. On inputs as small, oneDNN's weight gradient (LibTorch 2.11)
/// is wrong or writes past its buffers: seen with sides of 3 to 7 voxels, never from 8 on.
constexpr std::int64_t kLeastSide = 8;

/// Image and mask [n, C + 1, z, y, x] float; volumes thinner than kLeastSide get zeros (the mean,
/// no liver) at their far end.
at::Tensor with_mask(const at::Tensor& image, const at::Tensor& labels) {
  const at::Tensor voi = at::cat({image, labels.unsqueeze(1).to(at::kFloat)}, 1);
  std::vector<std::int64_t> padding;
  for (std::int64_t axis = 4; axis >= 2; --axis) {  // last axis first, as ATen wants it
    padding.insert(padding.end(), {0, std::max<std::int64_t>(0, kLeastSide - voi.size(axis))});
  }
  return at::constant_pad_nd(voi, padding);
}

void add(std::vector<double>& sums, const std::vector<double>& more) {
  sums.resize(std::max(sums.size(), more.size()));
  for (std::size_t i = 0; i < more.size(); ++i) {
    sums[i] += more[i];
  }
}

/// A ResNet and a head on volumes of interest.
class StagingTask : public TrainingTask {
 public:
  explicit StagingTask(const TrainConfig& config)
      : data_(config.data, FoldRule::kByStage), parts_(data_.fold()) {
    if (config.train.early_stopping > 0) {
      require<ConfigError>(config.train.validate_every > 0,
                           "train.early_stopping: wanted train.validate_every above 0, found 0");
      parts_ = inner_parts(data_.cases(), data_.fold().training, config.train.inner_share);
    }
  }

  void resolve(TrainConfig& config) const override {
    if (config.train.global_batch == 0) {
      config.train.global_batch = kDefaultBatch;
    }
    if (config.dist.shards == 0) {
      config.dist.shards = 1;
      while (2 * config.dist.shards <= std::min(config.train.global_batch, kMostShards)) {
        config.dist.shards *= 2;
      }
    }
  }
  [[nodiscard]] std::string plan_hash() const override { return hepar::plan_hash(data_.plan()); }
  [[nodiscard]] std::string data_hash() const override { return data_.hash(); }

  void build(const TrainingContext& context) override {
    context_ = &context;
    sampler_.emplace(data_.cases(), parts_.training,
                     StageSampler::Options{.seed = config().seed,
                                           .global_batch = config().train.global_batch,
                                           .patients = config().sampling.patients});
    options_ = {.backbone = config().backbone,
                .in_channels = data_.cases().channels() + 1,
                .volume = config().volume,
                .head = config().head,
                .stage_prior = sampler_->stage_prior(),
                .semantic_branch = config().csl.weight > 0 && config().csl.target == "sem"};
    network_ = std::make_shared<StagingNetwork>(options_, config().seed);
    loss_ = std::make_unique<StagingLoss>(config().csl, network_->head());
    network_->use(context.compute);
    network_->train();
    batch_norm_ = network_->backbone().has_batch_norm();
    require<ConfigError>(
        !batch_norm_ || config().augmentation.preset != "lna",
        "augmentation.preset: lna turns each volume by itself; BatchNorm wants the "
        "volumes of a micro-batch of one size: set backbone.norm=group");
    if (batch_norm_ && context.reduction.reduction == Reduction::kFast) {
      network_->backbone().exchange_sums_with([this](std::vector<double>& sums) {
        sums = reduce_in_order({sums}, context_->communicator, context_->reduction);
      });
    }
    log_masks();
  }

  [[nodiscard]] std::string pooling() const override {
    return network_->backbone().has_max_pooling() ? "max" : "";
  }
  [[nodiscard]] NamedTensors parameters() const override { return parameters_of(*network_); }
  [[nodiscard]] NamedTensors buffers() const override { return buffers_of(*network_); }

  Origin start(const InitConfig& init) override {
    Origin origin = start_backbone_from(init, network_->backbone());
    measure_features();
    return origin;
  }
  void write_splits() const override { data_.write_splits(); }

  void open(std::int64_t first_step) override {
    step_ = first_step;
    // Normalising over a micro-batch needs it whole; other networks take volumes of any size.
    const PatchLoader::Options options{
        .micro_batches = context_->micro_batches,
        .one_by_one = !batch_norm_,
        .first_step = first_step,
        .threads = static_cast<int>(config().run.loader_threads),
        .prefetch_steps = static_cast<int>(config().run.prefetch_steps),
        .seed = config().seed,
        .task = {},
        .augmentation = config().augmentation};
    loader_ = std::make_unique<PatchLoader>(
        data_.cases(),
        [this](std::int64_t step, std::int64_t slot) { return sampler_->at(step, slot); }, options);
  }

  Step backward(GradientReducer& reducer, double loss_scale) override {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<SegmentationBatch> batches = loader_->next();
    const std::chrono::duration<double> wait = std::chrono::steady_clock::now() - start;

    std::vector<StagingLoss::Terms> terms;
    std::vector<std::vector<double>> sums(context_->micro_batches.size());
    std::vector<std::vector<double>> moments(context_->micro_batches.size());
    for_each_batch(batches, [&](std::size_t shard, const SegmentationBatch& batch) {
      terms.push_back(forward(batch));
      add(sums[shard], terms.back().sums);
      add(moments[shard], network_->backbone().take_batch_sums());
    });
    const std::vector<double> totals =
        reduce_in_order(sums, context_->communicator, context_->reduction);
    if (batch_norm_) {
      network_->backbone().update_running_statistics(
          reduce_in_order(moments, context_->communicator, context_->reduction));
    }
    const double csl_weight = loss_->csl_weight_at(step_, config().train.steps);
    std::size_t next = 0;
    std::size_t open_shard = 0;
    for_each_batch(batches, [&](std::size_t shard, const SegmentationBatch&) {
      if (shard != open_shard) {
        reducer.add_micro_batch();
        open_shard = shard;
      }
      if (next + 1 == terms.size()) {
        reducer.overlap_next_backward();
      }
      (loss_->surrogate(terms[next], totals, csl_weight) * loss_scale).backward();
      terms[next++] = {};  // frees the graph before the next one's backward allocates
    });
    reducer.add_micro_batch();
    reducer.finish();
    ++step_;
    const StagingLoss::Value value = loss_->value(totals, csl_weight);
    Json metrics{{"loss", value.loss}, {"head_loss", value.head}};
    if (config().csl.weight > 0) {
      metrics.update({{"activation_loss", value.activation},
                      {"csl_weight", csl_weight},
                      {"usable_masks", value.usable_masks}});
    }
    return {.loss = value.loss, .metrics = metrics, .wait_s = wait.count()};
  }

  /// Mean head loss over the held-out volumes, dealt to the ranks and summed in their order: early
  /// stopping must not depend on the ranks.
  Json validate() override {
    const at::NoGradGuard no_gradient;
    network_->eval();
    const std::vector<std::size_t>& cases = parts_.validation;
    std::vector<double> losses(cases.size());
    std::vector<double> counts(cases.size());
    for (auto i = static_cast<std::size_t>(context_->communicator.rank()); i < cases.size();
         i += static_cast<std::size_t>(context_->communicator.size())) {
      const StagingOutput output =
          network_->forward(voi_tensor(data_.cases(), cases[i]).to(context_->compute.device));
      const SampleLoss loss = network_->head().loss(output.logits, stages_of({cases[i]}));
      losses[i] = loss.numerator.sum().item<double>();
      counts[i] = loss.denominator.sum().item<double>();
    }
    network_->train();
    context_->communicator.all_reduce(losses, ReduceOp::kSum);
    context_->communicator.all_reduce(counts, ReduceOp::kSum);
    return {{"validation_loss", std::accumulate(losses.begin(), losses.end(), 0.0) /
                                    std::accumulate(counts.begin(), counts.end(), 0.0)}};
  }

  void write_model(const std::filesystem::path& folder, const Lineage& origin) override {
    Lineage lineage = data_.lineage();
    lineage.merge(origin);
    save_staging_model(folder, {.options = options_,
                                .sampler = sampler_->stage_frequencies(),
                                .seed = config().seed,
                                .fold = config().data.fold,
                                .network = network_,
                                .lineage = lineage,
                                .held_out = data_.held_out()});
  }

 private:
  /// On volumes from all over the training part as they are; every rank the same.
  void measure_features() {
    if (config().backbone.start != "texture") {
      return;
    }
    const std::vector<std::size_t>& all = parts_.training;
    const std::size_t count = std::min(kMeasuredVolumes, all.size());
    network_->whiten_features(count, [&](std::size_t i) {
      return voi_tensor(data_.cases(), all[i * all.size() / count]).to(context_->compute.device);
    });
  }

  [[nodiscard]] const TrainConfig& config() const { return context_->config; }

  /// visit(micro-batch, batch) in slot order.
  template <class Visit>
  void for_each_batch(const std::vector<SegmentationBatch>& batches, Visit&& visit) const {
    std::size_t next = 0;
    for (std::size_t shard = 0; shard < context_->micro_batches.size(); ++shard) {
      std::int64_t samples = 0;
      while (samples < context_->micro_batches[shard].count) {
        samples += static_cast<std::int64_t>(batches[next].cases.size());
        visit(shard, batches[next++]);
      }
    }
  }

  /// Indices of the stages, [n].
  [[nodiscard]] at::Tensor stages_of(const std::vector<std::size_t>& cases) const {
    std::vector<std::int64_t> stages;
    for (const std::size_t index : cases) {
      stages.push_back(data_.cases().record(index).stage.value() - 1);
    }
    return at::tensor(stages, at::kLong).to(context_->compute.device);
  }

  /// A mask that is another sequence's, or missing, teaches nothing about where evidence lies.
  [[nodiscard]] bool has_own_mask(std::size_t index) const {
    return data_.cases().record(index).label != "none";
  }

  StagingLoss::Terms forward(const SegmentationBatch& batch) {
    StagingTargets targets;
    targets.stage = stages_of(batch.cases);
    const at::Tensor voi = with_mask(batch.image, batch.labels).to(context_->compute.device);
    if (config().csl.weight > 0) {
      std::vector<float> weights;
      for (const std::size_t index : batch.cases) {
        weights.push_back(has_own_mask(index) ? 1.0F : 0.0F);
      }
      targets.mask = voi.narrow(1, voi.size(1) - 1, 1);
      targets.mask_weight = at::tensor(weights).to(context_->compute.device);
    }
    return loss_->forward(network_->forward(voi), targets);
  }

  void log_masks() const {
    if (config().csl.weight == 0 || !context_->communicator.is_root()) {
      return;
    }
    std::size_t without = 0;
    for (const std::size_t index : data_.fold().training) {
      without += has_own_mask(index) ? 0 : 1;
    }
    log::info("csl: " + std::to_string(without) + " of " +
              std::to_string(data_.fold().training.size()) +
              " training volumes have no mask of their own: weight 0");
  }

  TrainingData data_;
  FoldCases parts_;  ///< trained and validated on: the fold's, or with early stopping inner ones
  const TrainingContext* context_ = nullptr;
  StagingOptions options_;
  std::shared_ptr<StagingNetwork> network_;
  std::unique_ptr<StagingLoss> loss_;
  std::optional<StageSampler> sampler_;
  std::unique_ptr<PatchLoader> loader_;  ///< reads from sampler_
  bool batch_norm_ = false;
  std::int64_t step_ = 0;
};

}  // namespace

at::Tensor voi_tensor(const CaseList& cases, std::size_t index) {
  const Patch whole = centre_crop(cases.patch(index, {{0, 0, 0}, cases.record(index).size}),
                                  {.size = cases.record(index).size});
  const SizeVox size = whole.size;
  const at::Tensor image =
      at::tensor(whole.image).view({1, whole.channels, size.z, size.y, size.x});
  const at::Tensor labels = at::tensor(whole.labels, at::kLong).view({1, size.z, size.y, size.x});
  return with_mask(image, labels);
}

TrainOutcome train_staging(const TrainConfig& config, Communicator& communicator) {
  return run_training(config, communicator, [&] { return std::make_unique<StagingTask>(config); });
}

}  // namespace hepar
