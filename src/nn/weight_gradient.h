#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace hepar::nn {

/// Of a convolution over (z, y, x), without groups.
struct ConvolutionGeometry {
  std::vector<std::int64_t> padding, stride, dilation;
};

/// Whether weight_gradient() takes these: CPU, float, both maps dense in channels-last order, and
/// the channels of one of them a multiple of 8.
bool can_sum_weight_gradient(const at::Tensor& x, const at::Tensor& gradient);

/// The gradient [out, in, kz, ky, kx] of a convolution's weights, from its input x [n, in, z, y, x]
/// and the gradient of its output. oneDNN has no direct kernel for it in this order on AVX2 and
/// unfolds x; here every tap of the kernel sums products of rows where they lie. The bits do not
/// depend on the number of threads.
at::Tensor weight_gradient(const at::Tensor& x, const at::Tensor& gradient,
                           at::IntArrayRef weight_sizes, const ConvolutionGeometry& geometry);

}  // namespace hepar::nn
