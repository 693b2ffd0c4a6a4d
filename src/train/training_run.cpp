#include "training_run.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

#include "hepar/comm/environment.h"
#include "hepar/comm/rank_places.h"
#include "hepar/comm/together.h"
#include "hepar/comm/watchdog.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/log.h"
#include "hepar/core/parallel.h"
#include "hepar/core/progress.h"
#include "hepar/core/version.h"
#include "hepar/dist/start_check.h"
#include "hepar/dist/step_flags.h"
#include "hepar/train/device.h"
#include "hepar/train/stop_signal.h"

namespace hepar {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check_stop(const ScheduleConfig& train) {
  require<ConfigError>(train.stop_after <= train.steps,
                       "train.stop_after: wanted at most train.steps (" +
                           std::to_string(train.steps) + "), found " +
                           std::to_string(train.stop_after));
  // Another validation would be one more chance to stop: the steps after it would not be the same.
  require<ConfigError>(
      train.early_stopping == 0 || train.last_step() == train.steps ||
          train.stop_after % train.validate_every == 0,
      "train.stop_after: with train.early_stopping wanted a multiple of train.validate_every (" +
          std::to_string(train.validate_every) + "), found " + std::to_string(train.stop_after));
}

/// The configuration with everything the data and the machine decide filled in.
TrainConfig resolved(TrainConfig config, const TrainingTask& task,
                     const Communicator& communicator) {
  task.resolve(config);
  check_stop(config.train);
  config.run.threads = choose_threads(config.run.threads, communicator);
  config.compute.precision = precision_name(choose_compute(config.compute, communicator).type);
  return config;
}

ReducerOptions reducer_options(const TrainConfig& config) {
  return {.reduction = config.dist.reduction == "tree" ? Reduction::kTree : Reduction::kFast,
          .shards = config.dist.shards,
          .backend = config.dist.backend};
}

std::vector<at::Tensor> values_of(const NamedTensors& named) {
  std::vector<at::Tensor> values;
  for (const auto& item : named) {
    values.push_back(item.second);
  }
  return values;
}

}  // namespace

TrainingRun::TrainingRun(const TrainConfig& config, std::unique_ptr<TrainingTask> task,
                         Communicator& communicator)
    : communicator_(communicator),
      task_(std::move(task)),
      config_(resolved(config, *task_, communicator)),
      context_{.config = config_,
               .communicator = communicator,
               .reduction = reducer_options(config_),
               .micro_batches = micro_batches(config_.train.global_batch, communicator.rank(),
                                              communicator.size(), reducer_options(config_)),
               .compute = choose_compute(config_.compute, communicator)},
      out_(config_.out),
      store_(out_, config_.train.keep_checkpoints),
      early_stopping_(config_.train),
      loss_scale_(context_.compute.type == at::kHalf) {
  at::set_num_threads(static_cast<int>(config_.run.threads));
  set_determinism(config_.run.deterministic, context_.compute.device);
  task_->build(context_);
  check_pooling(config_.run.deterministic, context_.compute.device, task_->pooling());
  parameters_ = task_->parameters();
  optimizer_ = std::make_unique<Optimizer>(parameters_, config_.optimizer);
}

TrainingRun::~TrainingRun() = default;

TrainOutcome TrainingRun::run() {
  const StopSignal signals;  // to the end: on another host it may arrive when all have agreed
  open_run_folder();
  resume();
  check_start();
  if (!is_done()) {
    train();
  }
  return finish();
}

RunSettings TrainingRun::settings() const {
  Json config = result_keys(config_);
  config.erase("run.threads");       // stands beside: another number is a warning, not a refusal
  config.erase("train.stop_after");  // whoever goes on makes the same steps
  return {.config = config,
          .plan_hash = task_->plan_hash(),
          .data_hash = task_->data_hash(),
          .code_version = version(),
          .reduction = config_.dist.reduction,
          .shards = config_.dist.shards,
          .threads = config_.run.threads,
          .cpu = at::get_cpu_capability()};
}

NamedTensors TrainingRun::weights() const {
  NamedTensors all = parameters_;
  const NamedTensors buffers = task_->buffers();
  all.insert(all.end(), buffers.begin(), buffers.end());
  return all;
}

/// Rank 0 takes the lease; the others hear whether it could.
void TrainingRun::open_run_folder() {
  together(communicator_, [&] {
    if (communicator_.is_root()) {
      make_writable_directory(out_);
      lease_ = std::make_unique<Lease>(out_, config_.run.heartbeat_s);
      writer_ = std::make_unique<CheckpointWriter>(
          [this](const Checkpoint& checkpoint) { store_.save(checkpoint, *lease_); });
      task_->write_splits();
      fs::remove(out_ / "outcome.json");  // of an attempt before: this one has none yet
    }
  });
  start_watch();
  reducer_ =
      std::make_unique<GradientReducer>(values_of(parameters_), communicator_, context_.reduction);
}

/// Under the lease's generation: a predecessor that was cut off still reads its own records, by
/// which its ranks learn that rank 0 was fenced.
void TrainingRun::start_watch() {
  const std::string generation =
      communicator_.broadcast(lease_ ? std::to_string(lease_->generation()) : "", 0);
  watchdog_ = std::make_unique<Watchdog>(
      communicator_, out_ / ".ranks" / generation,
      Watchdog::Options{.silence_s = config_.run.silence_s, .deadline_s = config_.run.deadline_s});
}

/// Also removes what ranks that were killed have left.
void TrainingRun::end_watch() {
  watchdog_.reset();
  // Else the removal of the folder could meet a file that its rank removes, and give up.
  communicator_.barrier();
  if (lease_) {
    std::error_code ignored;  // no harm if it stays
    fs::remove_all(out_ / ".ranks", ignored);
  }
}

void TrainingRun::resume() {
  together(communicator_, [&] {
    const std::string& before = config_.init.continue_from;
    if (const std::optional<Checkpoint> found = store_.load_latest()) {
      load(*found, out_);
    } else if (!before.empty()) {
      const std::optional<Checkpoint> left = CheckpointStore(before, 1).load_latest();
      require<DataError>(left.has_value(), before +
                                               ": init.continue_from: wanted a run folder "
                                               "with a checkpoint, found none");
      load(*left, before);
    } else {
      origin_ = task_->start(config_.init);
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

void TrainingRun::load(const Checkpoint& checkpoint, const fs::path& run_folder) {
  const std::string where = (run_folder / "checkpoints").string();
  require<ConfigError>(checkpoint.step <= config_.train.last_step(),
                       where + ": is at step " + std::to_string(checkpoint.step) +
                           ", beyond where this training ends (train.stop_after, " +
                           std::to_string(config_.train.last_step()) + "); choose another --out");
  check_continues(settings(), checkpoint.state, where);
  copy_tensors(checkpoint.weights, weights(), where);
  optimizer_->load_state(checkpoint.optimizer, where);
  origin_ = continued_origin(config_.init, checkpoint.state, where);
  if (early_stopping_.on()) {
    early_stopping_.load(checkpoint.state.at("early_stopping"), checkpoint.best, where);
  }
  if (loss_scale_.on()) {
    loss_scale_.load(checkpoint.state.at("loss_scale"));
  }
  step_ = checkpoint.step;
  log::info("continuing " + run_folder.string() + " at step " + std::to_string(step_));
}

void TrainingRun::check_start() {
  const RunSettings now = settings();
  RunIdentity identity{.config_hash = to_hex(xxh64(now.config.dump() + std::to_string(step_))),
                       .plan_hash = now.plan_hash,
                       .data_hash = now.data_hash,
                       .code_version = now.code_version};
  identify_model(values_of(parameters_), identity);
  check_same_start(communicator_, identity);
  const std::string places = rank_places(communicator_);
  if (communicator_.size() > 1) {
    log::info(places + "; " + std::to_string(config_.run.threads) + " thread(s) each, " +
              config_.dist.reduction + " reduction, " + mpi_library());
  }
}

bool TrainingRun::is_done() const {
  return step_ >= config_.train.last_step() || early_stopping_.exhausted();
}

void TrainingRun::train() {
  StepFlags flags(communicator_);
  task_->open(step_);
  Progress progress("training", config_.train.last_step() - step_, communicator_.is_root());
  const std::int64_t first = step_ + 1;
  bool stop = false;
  while (!is_done() && !stop) {
    watchdog_->enter("step " + std::to_string(step_ + 1));
    const double loss = one_step(flags);
    progress.advance(1, "loss " + std::to_string(loss));
    if (writer_ && step_ == first) {  // the optimizer has its momentum now
      writer_->prepare(checkpoint());
    }
    stop = stop_agreed(flags);  // before saving: a step that went wrong is not kept
    if (!stop && step_ % config_.train.checkpoint_every == 0 && !is_done()) {
      save();
    }
  }
}

/// What the ranks said of the step just made: they all stop, or fail, at the same one.
bool TrainingRun::stop_agreed(StepFlags& flags) {
  const StepSummary all = flags.wait().value_or(StepSummary{});
  require(!all.any_non_finite,
          "step " + std::to_string(step_) +
              ": the loss or its gradient is not finite; the last checkpoint is intact: lower "
              "optimizer.lr or look at the data");
  require<CommError>(all.hash_ok, "step " + std::to_string(step_) +
                                      ": the ranks did not make the same sequence of reductions");
  if (all.any_save_failed) {
    wait_saved();  // throws, on every rank
  }
  return all.any_stop;
}

double TrainingRun::one_step(StepFlags& flags) {
  const Clock::time_point start = Clock::now();
  const double scale = loss_scale_.value();
  TrainingTask::Step done = task_->backward(*reducer_, scale);
  const double lr = learning_rate(config_.optimizer, step_, config_.train.steps);
  const double norm = optimizer_->step(lr, scale);
  const bool sound = loss_scale_.absorb(std::isfinite(norm));
  ++step_;
  const double step_s = seconds_since(start);
  flags.start({.stop_requested = StopSignal::requested(),
               .non_finite = !std::isfinite(done.loss) || !sound,
               .save_failed = writer_ && writer_->failed(),
               .collective_hash = reducer_->collective_hash(),
               .compute_ms = 1000 * (step_s - done.wait_s)});
  const bool last = step_ == config_.train.last_step();
  if (metrics_ && (step_ % config_.train.log_every == 0 || last)) {
    Json record{{"step", step_}};
    record.update(done.metrics);
    record.update({{"lr", lr},
                   {"gradient_norm", norm},
                   {"step_s", step_s},
                   {"loader_wait_s", done.wait_s},
                   {"save_wait_s", std::exchange(save_wait_s_, 0)},
                   {"samples_per_s", static_cast<double>(config_.train.global_batch) / step_s}});
    if (loss_scale_.on()) {
      record["loss_scale"] = scale;
    }
    metrics_->append(record);
  }
  const std::int64_t every = config_.train.validate_every;
  if (every > 0 && (step_ % every == 0 || last)) {
    validate();
  }
  return done.loss;
}

void TrainingRun::validate() {
  watchdog_->enter("validating after step " + std::to_string(step_));
  Json record{{"step", step_}};
  record.update(task_->validate());
  if (early_stopping_.on()) {
    early_stopping_.see(step_, record.at("validation_loss").get<double>(), weights());
    record["best_step"] = early_stopping_.best_step();
  }
  if (metrics_) {
    metrics_->append(record);
  }
}

Checkpoint TrainingRun::checkpoint() const {
  Json state = to_json(settings());
  state["ranks"] = communicator_.size();
  state["generation"] = lease_->generation();
  state["seed"] = config_.seed;
  state["init"] = origin_.to_json();
  if (early_stopping_.on()) {
    state["early_stopping"] = early_stopping_.state();
  }
  if (loss_scale_.on()) {
    state["loss_scale"] = loss_scale_.state();
  }
  return {.step = step_,
          .weights = weights(),
          .optimizer = optimizer_->state(),
          .best = early_stopping_.best_weights(),
          .state = state};
}

/// Rank 0 writes, while the training goes on. A full disk or a lost lease there ends every rank
/// with the same error: in the next step (stop_agreed), or when this is called again.
void TrainingRun::save() {
  watchdog_->enter("saving step " + std::to_string(step_));
  const Clock::time_point start = Clock::now();
  together(communicator_, [&] {
    if (writer_) {
      writer_->save(checkpoint());
    }
  });
  save_wait_s_ += seconds_since(start);
}

/// Until what was saved is durable.
void TrainingRun::wait_saved() {
  together(communicator_, [&] {
    if (writer_) {
      writer_->wait();
    }
  });
}

TrainOutcome TrainingRun::finish() {
  const bool done = is_done();
  save();
  wait_saved();
  if (done && early_stopping_.best_step() > 0) {
    copy_tensors(early_stopping_.best_weights(), weights(), out_.string());
    log::info("weights of step " + std::to_string(early_stopping_.best_step()) +
              ", whose inner validation loss was the lowest");
  }
  together(communicator_, [&] {
    if (done && communicator_.is_root()) {
      lease_->check();
      task_->write_model(out_ / "model", origin_.lineage);
    }
  });
  end_watch();
  return {.code = done ? ExitCode::kDone : ExitCode::kResumable,
          .steps_done = step_,
          .weights_hash = hash_tensors(weights())};
}

TrainOutcome run_training(const TrainConfig& config, Communicator& communicator,
                          const std::function<std::unique_ptr<TrainingTask>()>& make) {
  std::unique_ptr<TrainingRun> training;
  together(communicator,
           [&] { training = std::make_unique<TrainingRun>(config, make(), communicator); });
  return training->run();
}

}  // namespace hepar
