#include "norm_activation.h"

#include <ATen/ops/group_norm.h>
#include <ATen/ops/instance_norm.h>
#include <ATen/ops/leaky_relu.h>

#include "fused_norm.h"

namespace hepar::nn {

at::Tensor norm_activation_plain(const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& bias, const NormActivation& how) {
  constexpr double kMomentum = 0.1;  // unused: there are no running statistics
  const at::Tensor normalised =
      how.groups > 0 ? at::group_norm(x, how.groups, weight, bias, how.epsilon)
                     : at::instance_norm(x, weight, bias, {}, {}, /*use_input_stats=*/true,
                                         kMomentum, how.epsilon, /*cudnn_enabled=*/true);
  return how.slope == 1.0 ? normalised : at::leaky_relu(normalised, how.slope);
}

at::Tensor norm_activation(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           const NormActivation& how) {
  return can_fuse(x, weight, bias) ? fused_norm_activation(x, weight, bias, how)
                                   : norm_activation_plain(x, weight, bias, how);
}

}  // namespace hepar::nn
