#include "transposed_convolution.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

#include "fused_norm.h"

namespace hepar::nn {
namespace {

bool is_ours(const torch::nn::ConvTranspose3dImpl& layer, const at::Tensor& x) {
  const auto& options = layer.options;
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 5 &&
         !at::autocast::is_autocast_enabled(at::kCPU) && options.groups() == 1 &&
         *options.kernel_size() == *options.stride();
}

}  // namespace

at::Tensor transposed_convolve(torch::nn::ConvTranspose3dImpl& layer, const at::Tensor& x) {
  if (!is_ours(layer, x)) {
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
