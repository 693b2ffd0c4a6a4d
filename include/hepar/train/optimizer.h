#pragma once
#include <hepar/train/tensor_io.h>
#include <hepar/train/train_config.h>
#include <memory>

namespace hepar {

/// SGD with Nesterov momentum, Adam or AdamW (torch::optim) over named parameters, with a state
/// that can be saved by name.
class Optimizer {
 public:
  Optimizer(NamedTensors parameters, const OptimizerConfig& config);
  ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  Optimizer(Optimizer&&) = delete;
  Optimizer& operator=(Optimizer&&) = delete;

  /// Divides the gradients by `loss_scale`, clips their global norm when configured, applies one
  /// step with this learning rate (backbone_lr times it for parameters named backbone.*) and clears
  /// the gradients. Returns the norm before clipping; where that is not finite there is no step.
  double step(double learning_rate, double loss_scale = 1);

  /// "momentum.<parameter>" (sgd); "exp_avg.<p>", "exp_avg_sq.<p>", "step.<p>" (adam, adamw). Empty
  /// before the first step.
  [[nodiscard]] NamedTensors state() const;
  /// Throws DataError naming `where`.
  void load_state(const NamedTensors& state, const std::string& where);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hepar
