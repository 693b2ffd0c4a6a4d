#pragma once
#include <torch/nn/module.h>

#include <cstdint>
#include <vector>

#include "hepar/nn/resnet.h"

namespace hepar::nn {

constexpr double kRelu = 0;    ///< slope of the activation behind a norm
constexpr double kLinear = 1;  ///< no activation

/// GroupNorm with two channels a group, or BatchNorm over all ranks; then the activation.
struct ResidualNormImpl : torch::nn::Module {
  ResidualNormImpl(std::int64_t channels, bool batch);
  at::Tensor forward(const at::Tensor& x, double slope);

  /// Running statistics from sums over the global batch: `totals` holds count, Σx and Σx².
  void update(const double* totals);
  [[nodiscard]] std::size_t sums() const;  ///< length of batch_sums after a training forward

  at::Tensor weight, bias;
  at::Tensor running_mean, running_var;  ///< BatchNorm only
  bool batch;
  SumExchange exchange;
  std::vector<double> batch_sums;  ///< of the last training forward, this rank alone

 private:
  at::Tensor batch_norm(const at::Tensor& x);
};
TORCH_MODULE(ResidualNorm);

}  // namespace hepar::nn
