#pragma once
#include <ATen/core/Tensor.h>

#include "norm_activation.h"

namespace hepar::nn {

/// Whether fused_norm_activation() takes these: x [N, C, z, y, x] dense in channels-last order, of
/// float on a CPU; in a build with CUDA also of float, half or bfloat16 on a GPU. weight, bias:
/// float.
bool can_fuse(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

/// norm_activation() in two passes over x forward and two backward, keeping only x for backward;
/// ATen makes three copies beside in this layout. The bits do not depend on the number of threads
/// and are the same in every run.
at::Tensor fused_norm_activation(const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& bias, const NormActivation& how);

/// Whether networks on `device` are faster in channels-last order: where the fused norm is.
bool prefers_channels_last(const at::Device& device);

/// x in channels-last order, also where a single channel leaves the order open to interpretation.
at::Tensor channels_last(const at::Tensor& x);

}  // namespace hepar::nn
