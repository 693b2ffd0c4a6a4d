#include "convolution.h"

#include <ATen/Context.h>
#include <ATen/native/ConvUtils.h>
#include <ATen/ops/mkldnn_convolution.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace hepar::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Geometry {
  std::vector<std::int64_t> padding, stride, dilation;
};

class DirectConvolution : public torch::autograd::Function<DirectConvolution> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, const Geometry& geometry) {
    context->save_for_backward({x, weight});
    context->saved_data["padding"] = geometry.padding;
    context->saved_data["stride"] = geometry.stride;
    context->saved_data["dilation"] = geometry.dilation;
    context->saved_data["bias"] = bias.has_value();
    return at::mkldnn_convolution(x, weight, bias, geometry.padding, geometry.stride,
                                  geometry.dilation, 1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto list = [&](const char* name) { return context->saved_data[name].toIntVector(); };
    const std::array<bool, 3> wanted{context->needs_input_grad(0), context->needs_input_grad(1),
                                     context->saved_data["bias"].toBool()};
    // The one implementation behind at::convolution_backward; the choice before it is what unfolds.
    const auto backward = decltype(at::native::mkldnn_convolution_backward_stub)::DEFAULT;
    const auto [x, weight, bias] = backward(saved[0], gradients[0], saved[1], list("padding"),
                                            list("stride"), list("dilation"), 1, wanted);
    return {x, weight, bias, at::Tensor()};
  }
};

/// What ATen would unfold. oneDNN's weight gradient for wide kernels is wrong, or writes past its
/// buffers, on inputs no larger than the kernel; up to 3 voxels wide it is right on any.
bool is_left_to_unfolding(const at::Tensor& x, const at::Tensor& weight) {
  constexpr std::int64_t kMostUnfolded = 20480;
  constexpr std::int64_t kSafeKernel = 3;
  const bool small = x.is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 5 &&
                     x.size(0) == 1 && x.size(1) * x.size(2) * x.size(3) <= kMostUnfolded;
  if (!small || !at::globalContext().userEnabledMkldnn()) {
    return false;
  }
  bool wide = false;
  bool safe = true;
  for (std::int64_t axis = 2; axis < 5; ++axis) {
    wide = wide || weight.size(axis) > 1;
    safe = safe && (weight.size(axis) <= kSafeKernel || x.size(axis) > weight.size(axis));
  }
  return wide && safe;
}

}  // namespace

at::Tensor convolve(torch::nn::Conv3dImpl& layer, const at::Tensor& x) {
  if (!is_left_to_unfolding(x, layer.weight)) {
    return layer.forward(x);
  }
  const auto& padding = std::get<torch::ExpandingArray<3>>(layer.options.padding());
  return DirectConvolution::apply(
      x, layer.weight, layer.bias.defined() ? std::optional(layer.bias) : std::nullopt,
      Geometry{{padding->begin(), padding->end()},
               {layer.options.stride()->begin(), layer.options.stride()->end()},
               {layer.options.dilation()->begin(), layer.options.dilation()->end()}});
}

}  // namespace hepar::nn
