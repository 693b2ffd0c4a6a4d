#pragma once
#include <torch/nn/modules/conv.h>

namespace hepar::nn {

/// The layer applied to x [N, C, z, y, x]. On the CPU, ATen leaves a single sample with
/// C · z · y <= 20480 to a kernel that unfolds it (LibTorch 2.11, ConvParams::use_mkldnn), which
/// cost a small U-Net two thirds of its step; here oneDNN's kernels, which larger inputs get, do
/// these too. Gradients are those of the layer.
at::Tensor convolve(torch::nn::Conv3dImpl& layer, const at::Tensor& x);

}  // namespace hepar::nn
