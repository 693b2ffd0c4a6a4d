#pragma once
#include <hepar/train/checkpoint_writer.h>
#include <hepar/train/lease.h>
#include <hepar/train/optimizer.h>
#include <hepar/train/train_config.h>
#include <hepar/train/training_outcome.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "early_stopping.h"
#include "loss_scale.h"
#include "metrics_log.h"
#include "run_folder.h"
#include "training_task.h"

namespace hepar {

class StepFlags;
class Watchdog;

/// One training in one folder, from start or resume to its end or a stop.
class TrainingRun {
 public:
  /// Throws ConfigError before anything is written.
  TrainingRun(const TrainConfig& config, std::unique_ptr<TrainingTask> task,
              Communicator& communicator);
  ~TrainingRun();
  TrainingRun(const TrainingRun&) = delete;
  TrainingRun& operator=(const TrainingRun&) = delete;
  TrainingRun(TrainingRun&&) = delete;
  TrainingRun& operator=(TrainingRun&&) = delete;

  /// Collective.
  TrainOutcome run();

 private:
  [[nodiscard]] RunSettings settings() const;
  [[nodiscard]] NamedTensors weights() const;
  void open_run_folder();
  void start_watch();
  void end_watch();
  void resume();
  void load(const Checkpoint& checkpoint, const std::filesystem::path& run_folder);
  void check_start();
  void train();
  /// All steps are made, or more would not help.
  [[nodiscard]] bool is_done() const;
  [[nodiscard]] bool stop_agreed(StepFlags& flags);
  double one_step(StepFlags& flags);
  void validate();
  [[nodiscard]] Checkpoint checkpoint() const;
  void save();
  void wait_saved();
  TrainOutcome finish();

  Communicator& communicator_;
  std::unique_ptr<TrainingTask> task_;
  TrainConfig config_;
  TrainingContext context_;
  std::filesystem::path out_;
  CheckpointStore store_;
  NamedTensors parameters_;
  Origin origin_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<GradientReducer> reducer_;
  std::unique_ptr<Lease> lease_;              ///< of rank 0, as what it guards:
  std::unique_ptr<CheckpointWriter> writer_;  ///< has ended before the lease is given back
  EarlyStopping early_stopping_;
  LossScale loss_scale_;
  std::unique_ptr<MetricsLog> metrics_;
  std::unique_ptr<Watchdog> watchdog_;
  std::int64_t step_ = 0;
  double save_wait_s_ = 0;  ///< since the last metrics of a step
};

/// The same for a task that `make` constructs; an error there on one rank is every rank's.
/// Collective.
TrainOutcome run_training(const TrainConfig& config, Communicator& communicator,
                          const std::function<std::unique_ptr<TrainingTask>()>& make);

}  // namespace hepar
