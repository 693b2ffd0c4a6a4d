#pragma once
#include <torch/nn/modules/conv.h>

namespace hepar::nn {

/// The layer applied to x [N, C, z, y, x]; its kernel is as wide as its stride, as in a U-Net, so
/// that no two voxels of x meet in one of the output. On the CPU that is one matrix product, whose
/// rows are voxels, and a copy; ATen leaves it to a loop over single values, and its gradients to
/// a kernel of oneDNN that unfolds.
at::Tensor transposed_convolve(torch::nn::ConvTranspose3dImpl& layer, const at::Tensor& x);

}  // namespace hepar::nn
