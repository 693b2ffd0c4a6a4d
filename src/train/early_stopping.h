#pragma once
#include <hepar/core/json.h>
#include <hepar/train/tensor_io.h>
#include <hepar/train/train_config.h>

#include <cstdint>
#include <string>

namespace hepar {

/// Ends a training once the loss of its inner validation no longer falls, and keeps the weights of
/// the step where it was lowest. What it knows travels with the checkpoints, so that a resumed run
/// ends at the same step with the same weights.
class EarlyStopping {
 public:
  explicit EarlyStopping(const ScheduleConfig& config) : patience_(config.early_stopping) {}

  [[nodiscard]] bool on() const { return patience_ > 0; }
  /// After a validation: `weights` are copied when `loss` is the lowest so far.
  void see(std::int64_t step, double loss, const NamedTensors& weights);
  /// As many validations as the patience went by without a lower loss.
  [[nodiscard]] bool exhausted() const { return on() && waited_ >= patience_; }
  /// Step of the lowest loss; 0: none was seen.
  [[nodiscard]] std::int64_t best_step() const { return best_step_; }
  [[nodiscard]] const NamedTensors& best_weights() const { return best_; }

  [[nodiscard]] Json state() const;
  /// Throws DataError naming `where`.
  void load(const Json& state, NamedTensors best, const std::string& where);

 private:
  std::int64_t patience_;
  std::int64_t best_step_ = 0;
  double best_loss_ = 0;
  std::int64_t waited_ = 0;
  NamedTensors best_;
};

}  // namespace hepar
