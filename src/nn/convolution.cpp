#include "convolution.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <ATen/native/ConvUtils.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/conv3d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/mkldnn_convolution.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>

#include "fused_norm.h"
#include "weight_gradient.h"

namespace hepar::nn {
namespace {

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast3d;

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What ATen would unfold. oneDNN's weight gradient for wide kernels is wrong, or writes past its
/// buffers, on inputs no larger than the kernel; up to 3 voxels wide it is right on any.
bool is_left_to_unfolding(const at::Tensor& x, const at::Tensor& weight) {
  constexpr std::int64_t kMostUnfolded = 20480;
  constexpr std::int64_t kSafeKernel = 3;
  if (x.size(0) != 1 || x.size(1) * x.size(2) * x.size(3) > kMostUnfolded) {
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

at::Tensor forward_of(const at::Tensor& x, const at::Tensor& weight,
                      const std::optional<at::Tensor>& bias, const ConvolutionGeometry& how) {
  return is_left_to_unfolding(x, weight)
             ? at::mkldnn_convolution(x, weight, bias, how.padding, how.stride, how.dilation, 1)
             : at::conv3d(x, weight, bias, how.stride, how.padding, how.dilation);
}

/// Gradients of x, the weights and the bias, those that are `wanted`.
variable_list backward_of(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& gradient,
                          const ConvolutionGeometry& how, std::array<bool, 3> wanted) {
  if (is_left_to_unfolding(x, weight)) {
    // The one implementation behind at::convolution_backward; the choice before it is what unfolds.
    const auto direct = decltype(at::native::mkldnn_convolution_backward_stub)::DEFAULT;
    const auto [dx, dw, db] =
        direct(x, gradient, weight, how.padding, how.stride, how.dilation, 1, wanted);
    return {dx, dw, db};
  }
  const std::array<std::int64_t, 1> bias{weight.size(0)};
  const auto [dx, dw, db] =
      at::convolution_backward(gradient, x, weight, at::IntArrayRef(bias), how.stride, how.padding,
                               how.dilation, /*transposed=*/false, {0, 0, 0}, 1, wanted);
  return {dx, dw, db};
}

class Convolution : public torch::autograd::Function<Convolution> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias, const ConvolutionGeometry& how) {
    context->save_for_backward({x, weight});
    context->saved_data["padding"] = how.padding;
    context->saved_data["stride"] = how.stride;
    context->saved_data["dilation"] = how.dilation;
    context->saved_data["bias"] = bias.has_value();
    return forward_of(x, weight, bias, how);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto list = [&](const char* name) { return context->saved_data[name].toIntVector(); };
    const ConvolutionGeometry how{list("padding"), list("stride"), list("dilation")};
    const at::Tensor &x = saved[0], &weight = saved[1];
    const at::Tensor gradient = channels_last(gradients[0]);
    const bool of_x = context->needs_input_grad(0), of_weight = context->needs_input_grad(1);
    const bool of_bias = context->saved_data["bias"].toBool();
    if (!of_weight || !can_sum_weight_gradient(x, gradient)) {
      variable_list all = backward_of(x, weight, gradient, how, {of_x, of_weight, of_bias});
      all.emplace_back();
      return all;
    }
    return {of_x ? backward_of(x, weight, gradient, how, {true, false, false})[0] : at::Tensor(),
            weight_gradient(x, gradient, weight.sizes(), how),
            of_bias ? gradient.sum({0, 2, 3, 4}) : at::Tensor(), at::Tensor()};
  }
};

/// On the CPU, and computed in the type that it has.
bool is_float_map(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 5 &&
         !at::autocast::is_autocast_enabled(at::kCPU);
}

/// Whether the layer is better off here than with ATen alone.
bool is_ours(const at::Tensor& x, const at::Tensor& weight) {
  return is_float_map(x) && at::globalContext().userEnabledMkldnn() &&
         (is_left_to_unfolding(x, weight) ||
          (at::GradMode::is_enabled() && x.is_contiguous(kChannelsLast)));
}

bool is_one_product(const torch::nn::ConvTranspose3dImpl& layer, const at::Tensor& x) {
  constexpr std::array<std::int64_t, 3> kNone{0, 0, 0};
  const auto& options = layer.options;
  return is_float_map(x) && options.groups() == 1 && *options.kernel_size() == *options.stride() &&
         *std::get<torch::ExpandingArray<3>>(options.padding()) == kNone &&
         *options.output_padding() == kNone;
}

}  // namespace

at::Tensor convolve(torch::nn::Conv3dImpl& layer, const at::Tensor& x) {
  if (!is_ours(x, layer.weight)) {
    return layer.forward(x);
  }
  const auto& padding = std::get<torch::ExpandingArray<3>>(layer.options.padding());
  return Convolution::apply(
      x, layer.weight, layer.bias.defined() ? std::optional(layer.bias) : std::nullopt,
      ConvolutionGeometry{{padding->begin(), padding->end()},
                          {layer.options.stride()->begin(), layer.options.stride()->end()},
                          {layer.options.dilation()->begin(), layer.options.dilation()->end()}});
}

at::Tensor transposed_convolve(torch::nn::ConvTranspose3dImpl& layer, const at::Tensor& x) {
  if (!is_one_product(layer, x)) {
    return layer.forward(x);
  }
  const at::Tensor& weight = layer.weight;  // [in, out, kz, ky, kx]
  const std::int64_t n = x.size(0), in = weight.size(0), out = weight.size(1);
  const std::int64_t kz = weight.size(2), ky = weight.size(3), kx = weight.size(4);
  const at::Tensor voxels = channels_last(x).permute({0, 2, 3, 4, 1}).reshape({-1, in});
  const at::Tensor taps = weight.permute({0, 2, 3, 4, 1}).reshape({in, -1});
  const at::Tensor rows = layer.bias.defined()
                              ? at::addmm(layer.bias.repeat({kz * ky * kx}), voxels, taps)
                              : at::mm(voxels, taps);
  // From (voxel, tap, channel) to where the taps of a voxel lie.
  return rows.view({n, x.size(2), x.size(3), x.size(4), kz, ky, kx, out})
      .permute({0, 1, 4, 2, 5, 3, 6, 7})
      .reshape({n, x.size(2) * kz, x.size(3) * ky, x.size(4) * kx, out})
      .permute({0, 4, 1, 2, 3});
}

}  // namespace hepar::nn
