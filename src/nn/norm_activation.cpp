#include "norm_activation.h"

#include <ATen/ops/group_norm.h>
#include <ATen/ops/leaky_relu.h>

#include "fused_norm.h"

namespace hepar::nn {

at::Tensor norm_activation_plain(const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& bias, const NormActivation& how) {
  // InstanceNorm by the same operator, a group a channel: at::instance_norm's gradients are wrong
  // for one channels-last sample on a CPU (seen with Torch 2.11).
  const std::int64_t groups = how.groups > 0 ? how.groups : x.size(1);
  const at::Tensor normalised = at::group_norm(x, groups, weight, bias, how.epsilon);
  return how.slope == 1.0 ? normalised : at::leaky_relu(normalised, how.slope);
}

at::Tensor norm_activation(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           const NormActivation& how) {
  return can_fuse(x, weight, bias) ? fused_norm_activation(x, weight, bias, how)
                                   : norm_activation_plain(x, weight, bias, how);
}

}  // namespace hepar::nn
