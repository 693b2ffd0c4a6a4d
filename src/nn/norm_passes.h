#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "norm_activation.h"

namespace hepar::nn {

// The two halves of fused_norm_activation() for each kind of device. x: [N, C, z, y, x] dense in
// channels-last order; weight, bias: [C] float.

struct NormForward {
  at::Tensor y;             ///< like x
  at::Tensor coefficients;  ///< [4, N · C] float: scale and shift from x to the norm's output, then
                            ///< from x to the normalised x
};

struct NormGradients {
  at::Tensor x;             ///< like x
  at::Tensor weight, bias;  ///< [C] float
};

/// Channels that share a mean and a variance: 1, or C / groups.
inline std::int64_t group_width(const at::Tensor& x, const NormActivation& how) {
  return how.groups > 0 ? x.size(1) / how.groups : 1;
}

/// float.
NormForward norm_forward_cpu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const NormActivation& how);
/// `gradient`: of y, like x; `coefficients`: what forward gave.
NormGradients norm_backward_cpu(const at::Tensor& x, const at::Tensor& gradient,
                                const at::Tensor& coefficients, const NormActivation& how);

/// float, half or bfloat16; statistics and coefficients are float and wider whatever x is. Sums are
/// added in an order that depends on the shape only: the bits are the same in every run.
NormForward norm_forward_cuda(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                              const NormActivation& how);
NormGradients norm_backward_cuda(const at::Tensor& x, const at::Tensor& gradient,
                                 const at::Tensor& coefficients, const NormActivation& how);

}  // namespace hepar::nn
