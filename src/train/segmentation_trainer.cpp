#include "hepar/train/segmentation_trainer.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/data/patch_loader.h"
#include "hepar/train/model_folder.h"
#include "hepar/train/training_step.h"
#include "online_validation.h"
#include "training_data.h"
#include "training_run.h"

namespace hepar {
namespace {

Plan plan_of(const TrainingData& data, const TrainConfig& config) {
  const Plan& own = data.plan();
  if (config.plan.empty()) {
    return own;
  }
  Plan given = read_plan(config.plan);
  require<ConfigError>(
      given.spacing_mm == own.spacing_mm && given.transpose == own.transpose &&
          given.normalization == own.normalization && given.classes == own.classes,
      config.plan + ": " + config.data.path.front() +
          " was prepared with another spacing, transpose, normalisation or other classes; prepare "
          "it with this plan first");
  return given;
}

/// A U-Net on patches of prepared sets.
class SegmentationTask : public TrainingTask {
 public:
  explicit SegmentationTask(const TrainConfig& config)
      : data_(config.data), plan_(plan_of(data_, config)) {}

  void resolve(TrainConfig& config) const override {
    require<ConfigError>(config.train.early_stopping == 0,
                         "train.early_stopping: staging only; a segmentation makes all its steps");
    require<ConfigError>(config.augmentation.preset != "lna",
                         "augmentation.preset: lna turns volumes of any size; patches keep theirs: "
                         "wanted nnunet for task segmentation");
    if (config.train.global_batch == 0) {
      config.train.global_batch = plan_.batch_size;
    }
    if (config.dist.shards == 0) {
      config.dist.shards = plan_.shards;
    }
  }
  [[nodiscard]] std::string plan_hash() const override { return hepar::plan_hash(plan_); }
  [[nodiscard]] std::string data_hash() const override { return data_.hash(); }

  void build(const TrainingContext& context) override {
    context_ = &context;
    network_ = make_network(plan_, config().data.regions, config().seed);
    network_->use(context.compute);
    network_->train();
    loss_ = std::make_unique<SegmentationLoss>(loss_options());
  }

  [[nodiscard]] std::string pooling() const override {
    return plan_.architecture == "resenc" ? "average" : "";
  }
  [[nodiscard]] NamedTensors parameters() const override { return parameters_of(*network_); }

  Origin start(const InitConfig& init) override {
    return start_from(init, {plan_, config().data.regions}, parameters());
  }
  void write_splits() const override { data_.write_splits(); }

  void open(std::int64_t first_step) override {
    sampler_.emplace(make_sampler());
    // The ignore label is a value above the classes; −1 is only what lies outside a case.
    AugmentTask task{.size = plan_.patch_size, .mask_normalised = {}, .keep_ignore = false};
    for (const Normalization& channel : plan_.normalization) {
      task.mask_normalised.push_back(channel.kind == NormalizationKind::kZScoreMasked);
    }
    const PatchLoader::Options options{
        .micro_batches = context_->micro_batches,
        .pinned = context_->compute.device.is_cuda(),
        .first_step = first_step,
        .threads = static_cast<int>(config().run.loader_threads),
        .prefetch_steps = static_cast<int>(config().run.prefetch_steps),
        .seed = config().seed,
        .task = task,
        .augmentation = config().augmentation};
    loader_ = std::make_unique<PatchLoader>(data_.cases(), *sampler_, options);
  }

  Step backward(GradientReducer& reducer, double loss_scale) override {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<SegmentationBatch> batches = loader_->next();
    const std::chrono::duration<double> wait = std::chrono::steady_clock::now() - start;
    const SegmentationLoss::Value value =
        backward_global_batch({*network_, *loss_, reducer, context_->communicator,
                               context_->reduction, loss_scale, context_->compute.device},
                              batches);
    return {.loss = value.loss,
            .metrics = {{"loss", value.loss},
                        {"dice_loss", value.dice_loss},
                        {"cross_entropy", value.cross_entropy}},
            .wait_s = wait.count()};
  }

  Json validate() override {
    return {{"pseudo_dice", online_validation(*network_,
                                              {data_.cases(), data_.fold().validation, config(),
                                               plan_, data_.ignore_label()},
                                              context_->communicator)}};
  }

  void write_model(const std::filesystem::path& folder, const Lineage& origin) override {
    const AugmentationConfig& augmentation = config().augmentation;
    Lineage lineage = data_.lineage();
    lineage.merge(origin);
    save_model(folder, {.plan = plan_,
                        .mirror_axes = augmentation.enabled ? augmentation.mirror_axes
                                                            : std::vector<std::int64_t>{},
                        .orientation = "canonical",
                        .network = network_,
                        .lineage = lineage,
                        .held_out = data_.held_out(),
                        .regions = config().data.regions});
  }

 private:
  [[nodiscard]] const TrainConfig& config() const { return context_->config; }

  [[nodiscard]] SegmentationLoss::Options loss_options() const {
    const std::size_t levels = plan_.strides.size() - 1;
    return {.config = config().loss,
            .classes = static_cast<std::int64_t>(plan_.classes.size()),
            .batch_dice = plan_.batch_dice,
            .level_weights = deep_supervision_weights(levels),
            .ignore_label = data_.ignore_label(),
            .regions = parse_regions(config().data.regions, plan_.classes)};
  }

  [[nodiscard]] PatchSampler make_sampler() const {
    const SizeVox cut = config().augmentation.enabled
                            ? loader_patch_size(config().augmentation, plan_.patch_size)
                            : plan_.patch_size;
    return {data_.cases(),
            data_.fold().training,
            {.seed = config().seed,
             .global_batch = config().train.global_batch,
             .patch = plan_.patch_size,
             .loader_patch = cut,
             .sampling = config().sampling,
             .set_weights = config().data.weights,
             .ignore_label = data_.ignore_label()}};
  }

  TrainingData data_;
  Plan plan_;
  const TrainingContext* context_ = nullptr;
  std::shared_ptr<SegmentationNetwork> network_;
  std::unique_ptr<SegmentationLoss> loss_;
  std::optional<PatchSampler> sampler_;
  std::unique_ptr<PatchLoader> loader_;  ///< reads from sampler_
};

}  // namespace

TrainOutcome train_segmentation(const TrainConfig& config, Communicator& communicator) {
  return run_training(config, communicator,
                      [&] { return std::make_unique<SegmentationTask>(config); });
}

}  // namespace hepar
