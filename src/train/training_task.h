#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/core/json.h>
#include <hepar/dist/gradient_reducer.h>
#include <hepar/nn/autocast.h>
#include <hepar/train/tensor_io.h>
#include <hepar/train/train_config.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "origin.h"

namespace hepar {

/// What a task computes with, once the configuration is resolved; outlives its use.
struct TrainingContext {
  const TrainConfig& config;
  Communicator& communicator;
  ReducerOptions reduction;
  std::vector<SlotRange> micro_batches;  ///< this rank's, of the global batch
  Compute compute = {};
};

/// What depends on the kind of network that is trained: data, network, loss, the model folder. The
/// order of steps, resuming, checkpoints, signals and logs are TrainingRun's.
class TrainingTask {
 public:
  TrainingTask() = default;
  virtual ~TrainingTask() = default;
  TrainingTask(const TrainingTask&) = delete;
  TrainingTask& operator=(const TrainingTask&) = delete;
  TrainingTask(TrainingTask&&) = delete;
  TrainingTask& operator=(TrainingTask&&) = delete;

  /// Fills in what the data decide: train.global_batch and dist.shards where they are 0.
  virtual void resolve(TrainConfig& config) const = 0;
  /// Hash of the plan; empty when the task has none.
  [[nodiscard]] virtual std::string plan_hash() const = 0;
  [[nodiscard]] virtual std::string data_hash() const = 0;

  /// Draws the network's weights from config.seed, on context.compute.device. Called once, before
  /// what follows.
  virtual void build(const TrainingContext& context) = 0;
  /// What the network pools with: max, average or nothing.
  [[nodiscard]] virtual std::string pooling() const = 0;
  /// What the optimizer moves.
  [[nodiscard]] virtual NamedTensors parameters() const = 0;
  /// What else a checkpoint keeps (running statistics).
  [[nodiscard]] virtual NamedTensors buffers() const { return {}; }
  /// Applies init.from to the fresh weights.
  virtual Origin start(const InitConfig& config) = 0;
  /// Files beside the run that say what it trains on; rank 0, before the first step.
  virtual void write_splits() const = 0;

  /// Opens the stream of batches at a step.
  virtual void open(std::int64_t first_step) = 0;
  struct Step {
    double loss = 0;
    Json metrics = Json::object();  ///< for metrics.jsonl, the loss included
    double wait_s = 0;              ///< for the batch
  };
  /// Leaves the gradient of `loss_scale` times the global batch's loss in every parameter's .grad()
  /// on every rank. Collective.
  virtual Step backward(GradientReducer& reducer, double loss_scale) = 0;
  /// Metrics of held-out cases. Collective.
  virtual Json validate() = 0;

  /// Writes the model folder of a finished run. Rank 0.
  virtual void write_model(const std::filesystem::path& folder, const Lineage& origin) = 0;
};

}  // namespace hepar
