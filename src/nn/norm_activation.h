#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace hepar::nn {

/// How a block ends: InstanceNorm over (z, y, x) of each sample and channel, or GroupNorm over
/// equal runs of channels, then LeakyReLU.
struct NormActivation {
  double epsilon = 1e-5;
  double slope = 0.01;      ///< of the LeakyReLU; 1 leaves it out, 0 makes it ReLU
  std::int64_t groups = 0;  ///< of GroupNorm, a divisor of the channels; 0: InstanceNorm
};

/// LeakyReLU(weight · (x − mean) / sqrt(variance + epsilon) + bias), biased variance, no running
/// statistics. x: [N, C, z, y, x] float; weight, bias: [C]. Differentiable in all three.
at::Tensor norm_activation(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           const NormActivation& how);

/// The same from ATen's own operators: the oracle of the fused one, and what devices without one
/// use.
at::Tensor norm_activation_plain(const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& bias, const NormActivation& how);

}  // namespace hepar::nn
