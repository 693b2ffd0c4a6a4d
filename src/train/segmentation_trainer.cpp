#include "hepar/train/segmentation_trainer.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <optional>

#include "hepar/comm/together.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/log.h"
#include "hepar/core/parallel.h"
#include "hepar/core/progress.h"
#include "hepar/core/version.h"
#include "hepar/data/patch_loader.h"
#include "hepar/dist/start_check.h"
#include "hepar/dist/step_flags.h"
#include "hepar/train/checkpoint.h"
#include "hepar/train/device.h"
#include "hepar/train/lease.h"
#include "hepar/train/model_folder.h"
#include "hepar/train/optimizer.h"
#include "hepar/train/stop_signal.h"
#include "hepar/train/training_step.h"
#include "metrics_log.h"
#include "online_validation.h"
#include "origin.h"
#include "run_folder.h"
#include "training_data.h"

namespace hepar {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

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

/// The configuration with everything the plan and the machine decide filled in.
TrainConfig resolved(TrainConfig config, const Plan& plan, const Communicator& communicator) {
  if (config.train.global_batch == 0) {
    config.train.global_batch = plan.batch_size;
  }
  if (config.dist.shards == 0) {
    config.dist.shards = plan.shards;
  }
  if (config.run.threads == 0) {
    config.run.threads = std::max(1, usable_processors() / communicator.local_size());
  }
  return config;
}

ReducerOptions reducer_options(const TrainConfig& config) {
  return {.reduction = config.dist.reduction == "tree" ? Reduction::kTree : Reduction::kFast,
          .shards = config.dist.shards,
          .backend = config.dist.backend};
}

NamedTensors parameters_of(const SegmentationNetwork& network) {
  NamedTensors named;
  for (const auto& item : network.named_parameters()) {
    named.emplace_back(item.key(), item.value());
  }
  return named;
}

std::vector<at::Tensor> values_of(const NamedTensors& named) {
  std::vector<at::Tensor> values;
  for (const auto& item : named) {
    values.push_back(item.second);
  }
  return values;
}

/// One training in one folder, from start or resume to its end or a stop.
class SegmentationTraining {
 public:
  SegmentationTraining(const TrainConfig& config, Communicator& communicator)
      : communicator_(communicator),
        out_(config.out),
        data_(config.data),
        plan_(plan_of(data_, config)),
        config_(resolved(config, plan_, communicator)),
        options_(reducer_options(config_)),
        micro_batches_(micro_batches(config_.train.global_batch, communicator.rank(),
                                     communicator.size(), options_)),
        store_(out_, config_.train.keep_checkpoints) {
    at::set_num_threads(static_cast<int>(config_.run.threads));
    device_ = choose_device(config_.device, communicator);
    network_ = make_network(plan_, config_.data.regions, config_.seed);
    network_->to(device_);
    network_->train();
    parameters_ = parameters_of(*network_);
    optimizer_ = std::make_unique<Optimizer>(parameters_, config_.optimizer);
    loss_ = std::make_unique<SegmentationLoss>(loss_options());
  }

  TrainOutcome run() {
    open_run_folder();
    resume();
    check_start();
    if (step_ < config_.train.steps) {
      train();
    }
    return finish();
  }

 private:
  [[nodiscard]] SegmentationLoss::Options loss_options() const {
    const std::size_t levels = plan_.strides.size() - 1;
    return {.config = config_.loss,
            .classes = static_cast<std::int64_t>(plan_.classes.size()),
            .batch_dice = plan_.batch_dice,
            .level_weights = deep_supervision_weights(levels),
            .ignore_label = data_.ignore_label(),
            .regions = parse_regions(config_.data.regions, plan_.classes)};
  }

  [[nodiscard]] RunSettings settings() {
    Json config = result_keys(config_);
    config.erase("run.threads");  // stands beside: another number is a warning, not a refusal
    return {.config = config,
            .plan_hash = plan_hash(plan_),
            .data_hash = data_.hash(),
            .code_version = version(),
            .reduction = config_.dist.reduction,
            .shards = config_.dist.shards,
            .threads = config_.run.threads,
            .cpu = at::get_cpu_capability()};
  }

  /// Rank 0 takes the lease and writes the resolved configuration; the others hear whether it
  /// could.
  void open_run_folder() {
    together(communicator_, [&] {
      if (communicator_.is_root()) {
        make_writable_directory(out_);
        lease_ = std::make_unique<Lease>(out_, config_.run.heartbeat_s);
        data_.write_splits();
        fs::remove(out_ / "outcome.json");  // of an attempt before: this one has none yet
      }
    });
    reducer_ = std::make_unique<GradientReducer>(values_of(parameters_), communicator_, options_);
  }

  void resume() {
    together(communicator_, [&] {
      if (const std::optional<Checkpoint> found = store_.load_latest()) {
        load(*found);
      } else {
        origin_ = start_from(config_.init, {plan_, config_.data.regions}, parameters_);
      }
    });
    together(communicator_, [&] {
      if (communicator_.is_root()) {
        ConfigSchema schema;
        config_.declare(schema);
        write_atomically(out_ / "config.yaml", schema.to_yaml());
        if (step_ == 0 && !origin_.weights.empty()) {
          write_json(out_ / "transfer.json", origin_.report);
        }
        metrics_ = std::make_unique<MetricsLog>(out_, step_);
      }
    });
  }

  void load(const Checkpoint& checkpoint) {
    const std::string where = (out_ / "checkpoints").string();
    check_continues(settings(), checkpoint.state, where);
    copy_tensors(checkpoint.weights, parameters_, where);
    optimizer_->load_state(checkpoint.optimizer, where);
    origin_ = continued_origin(config_.init, checkpoint.state, where);
    step_ = checkpoint.step;
    log::info("continuing " + out_.string() + " at step " + std::to_string(step_));
  }

  void check_start() {
    const RunSettings now = settings();
    RunIdentity identity{.config_hash = to_hex(xxh64(now.config.dump() + std::to_string(step_))),
                         .plan_hash = now.plan_hash,
                         .data_hash = now.data_hash,
                         .code_version = now.code_version};
    identify_model(values_of(parameters_), identity);
    check_same_start(communicator_, identity);
  }

  [[nodiscard]] PatchLoader make_loader(const PatchSampler& sampler) const {
    // The ignore label is a value above the classes; −1 is only what lies outside a case.
    AugmentTask task{.size = plan_.patch_size, .mask_normalised = {}, .keep_ignore = false};
    for (const Normalization& channel : plan_.normalization) {
      task.mask_normalised.push_back(channel.kind == NormalizationKind::kZScoreMasked);
    }
    return PatchLoader(data_.cases(), sampler,
                       {.micro_batches = micro_batches_,
                        .first_step = step_,
                        .threads = static_cast<int>(config_.run.loader_threads),
                        .prefetch_steps = static_cast<int>(config_.run.prefetch_steps),
                        .seed = config_.seed,
                        .task = task,
                        .augmentation = config_.augmentation});
  }

  [[nodiscard]] PatchSampler make_sampler() const {
    const SizeVox cut = config_.augmentation.enabled
                            ? loader_patch_size(config_.augmentation, plan_.patch_size)
                            : plan_.patch_size;
    return {data_.cases(),
            data_.fold().training,
            {.seed = config_.seed,
             .global_batch = config_.train.global_batch,
             .patch = plan_.patch_size,
             .loader_patch = cut,
             .sampling = config_.sampling,
             .set_weights = config_.data.weights,
             .ignore_label = data_.ignore_label()}};
  }

  void train() {
    const StopSignal signals;
    StepFlags flags(communicator_);
    const PatchSampler sampler = make_sampler();
    PatchLoader loader = make_loader(sampler);
    Progress progress("training", config_.train.steps - step_, communicator_.is_root());
    bool stop = false;
    while (step_ < config_.train.steps && !stop) {
      const SegmentationLoss::Value value = one_step(loader, flags);
      progress.advance(1, "loss " + std::to_string(value.loss));
      stop = stop_agreed(flags);  // before saving: a step that went wrong is not kept
      if (!stop && step_ % config_.train.checkpoint_every == 0 && step_ < config_.train.steps) {
        save();
      }
    }
  }

  /// What the ranks said of the step just made: they all stop, or fail, at the same one.
  bool stop_agreed(StepFlags& flags) const {
    const StepSummary all = flags.wait().value_or(StepSummary{});
    require(!all.any_non_finite,
            "step " + std::to_string(step_) +
                ": the loss or its gradient is not finite; the last checkpoint is intact: lower "
                "optimizer.lr or look at the data");
    require<CommError>(all.hash_ok, "step " + std::to_string(step_) +
                                        ": the ranks did not make the same sequence of reductions");
    return all.any_stop;
  }

  SegmentationLoss::Value one_step(PatchLoader& loader, StepFlags& flags) {
    const Clock::time_point start = Clock::now();
    std::vector<SegmentationBatch> batches = loader.next();
    const double wait_s = seconds_since(start);
    for (SegmentationBatch& batch : batches) {
      batch.image = batch.image.to(device_);
      batch.labels = batch.labels.to(device_);
    }
    const SegmentationLoss::Value value =
        backward_global_batch({*network_, *loss_, *reducer_, communicator_, options_}, batches);
    const double lr = learning_rate(config_.optimizer, step_, config_.train.steps);
    const double norm = optimizer_->step(lr);
    ++step_;
    const double step_s = seconds_since(start);
    flags.start({.stop_requested = StopSignal::requested(),
                 .non_finite = !std::isfinite(value.loss) || !std::isfinite(norm),
                 .collective_hash = reducer_->collective_hash(),
                 .compute_ms = 1000 * (step_s - wait_s)});
    record(value, {.lr = lr, .norm = norm, .wait_s = wait_s, .step_s = step_s});
    return value;
  }

  struct StepFigures {
    double lr, norm, wait_s, step_s;
  };

  void record(const SegmentationLoss::Value& value, const StepFigures& figures) {
    const bool last = step_ == config_.train.steps;
    if (metrics_ && (step_ % config_.train.log_every == 0 || last)) {
      metrics_->append(
          {{"step", step_},
           {"loss", value.loss},
           {"dice_loss", value.dice_loss},
           {"cross_entropy", value.cross_entropy},
           {"lr", figures.lr},
           {"gradient_norm", figures.norm},
           {"step_s", figures.step_s},
           {"loader_wait_s", figures.wait_s},
           {"samples_per_s", static_cast<double>(config_.train.global_batch) / figures.step_s}});
    }
    const std::int64_t every = config_.train.validate_every;
    if (every > 0 && (step_ % every == 0 || last)) {
      const std::vector<double> dice = online_validation(
          *network_, {data_.cases(), data_.fold().validation, config_, plan_, data_.ignore_label()},
          communicator_);
      if (metrics_) {
        metrics_->append({{"step", step_}, {"pseudo_dice", dice}});
      }
    }
  }

  /// Rank 0 writes; a full disk or a lost lease there ends every rank with the same error.
  void save() {
    together(communicator_, [&] {
      if (communicator_.is_root()) {
        Json state = to_json(settings());
        state["ranks"] = communicator_.size();
        state["generation"] = lease_->generation();
        state["seed"] = config_.seed;
        state["init"] = origin_.to_json();
        store_.save({.step = step_,
                     .weights = parameters_,
                     .optimizer = optimizer_->state(),
                     .state = state},
                    *lease_);
      }
    });
  }

  TrainOutcome finish() {
    const bool done = step_ >= config_.train.steps;
    save();
    together(communicator_, [&] {
      if (done && communicator_.is_root()) {
        write_model();
      }
    });
    return {.code = done ? ExitCode::kDone : ExitCode::kResumable,
            .steps_done = step_,
            .weights_hash = hash_tensors(parameters_)};
  }

  void write_model() {
    lease_->check();
    const AugmentationConfig& augmentation = config_.augmentation;
    save_model(out_ / "model", {.plan = plan_,
                                .mirror_axes = augmentation.enabled ? augmentation.mirror_axes
                                                                    : std::vector<std::int64_t>{},
                                .orientation = "canonical",
                                .network = network_,
                                .lineage = lineage(),
                                .held_out = data_.held_out(),
                                .regions = config_.data.regions});
  }

  [[nodiscard]] Lineage lineage() const {
    Lineage all = data_.lineage();
    all.merge(origin_.lineage);
    return all;
  }

  Communicator& communicator_;
  fs::path out_;
  TrainingData data_;
  Plan plan_;
  TrainConfig config_;
  ReducerOptions options_;
  std::vector<SlotRange> micro_batches_;
  Origin origin_;
  CheckpointStore store_;
  at::Device device_ = at::kCPU;
  std::shared_ptr<SegmentationNetwork> network_;
  NamedTensors parameters_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<GradientReducer> reducer_;
  std::unique_ptr<SegmentationLoss> loss_;
  std::unique_ptr<Lease> lease_;
  std::unique_ptr<MetricsLog> metrics_;
  std::int64_t step_ = 0;
};

}  // namespace

TrainOutcome train_segmentation(const TrainConfig& config, Communicator& communicator) {
  std::unique_ptr<SegmentationTraining> training;
  together(communicator,
           [&] { training = std::make_unique<SegmentationTraining>(config, communicator); });
  return training->run();
}

}  // namespace hepar
