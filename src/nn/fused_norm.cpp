#include "fused_norm.h"

#include <torch/csrc/autograd/custom_function.h>

#include <vector>

#include "kernels_on_cuda.h"
#include "norm_passes.h"

namespace hepar::nn {
namespace {

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast3d;

class FusedNormActivation : public torch::autograd::Function<FusedNormActivation> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const at::Tensor& bias,
                            const NormActivation& how) {
    const NormForward done = x.is_cpu() ? norm_forward_cpu(x, weight, bias, how)
                                        : norm_forward_cuda(x, weight, bias, how);
    context->save_for_backward({x, done.coefficients});
    context->saved_data["epsilon"] = how.epsilon;
    context->saved_data["slope"] = how.slope;
    context->saved_data["groups"] = how.groups;
    return done.y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor gradient = channels_last(gradients[0]);
    const NormActivation how{context->saved_data["epsilon"].toDouble(),
                             context->saved_data["slope"].toDouble(),
                             context->saved_data["groups"].toInt()};
    const NormGradients by = saved[0].is_cpu()
                                 ? norm_backward_cpu(saved[0], gradient, saved[1], how)
                                 : norm_backward_cuda(saved[0], gradient, saved[1], how);
    return {by.x, by.weight, by.bias, at::Tensor()};
  }
};

bool is_channels_last(const at::Tensor& x) {
  return x.dim() == 5 && x.stride(1) == 1 && x.is_contiguous(kChannelsLast);
}

bool has_norm(const at::Tensor& x) {
  return x.is_cpu() ? x.scalar_type() == at::kFloat : is_for_cuda_kernels(x);
}

}  // namespace

bool can_fuse(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto simple = [&](const at::Tensor& t) {
    return t.device() == x.device() && t.scalar_type() == at::kFloat && t.is_contiguous();
  };
  return has_norm(x) && simple(weight) && simple(bias) && is_channels_last(x) && x.numel() > 0;
}

bool prefers_channels_last(const at::Device& device) {
  return device.is_cpu() || (device.is_cuda() && has_cuda_kernels());
}

at::Tensor fused_norm_activation(const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& bias, const NormActivation& how) {
  return FusedNormActivation::apply(x, weight, bias, how);
}

at::Tensor channels_last(const at::Tensor& x) {
  const at::Tensor dense = x.contiguous(kChannelsLast);
  if (dense.stride(1) == 1 || dense.size(1) != 1) {
    return dense;
  }
  // One channel: both orders are the same memory, but ATen picks its kernels by the strides.
  std::vector<std::int64_t> strides = dense.strides().vec();
  strides[1] = 1;
  return dense.as_strided(dense.sizes(), strides);
}

}  // namespace hepar::nn
