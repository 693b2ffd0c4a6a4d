#pragma once
#include <torch/nn/modules/conv.h>

namespace hepar::nn {

/// The layer applied to x [N, C, z, y, x]. On the CPU, ATen leaves a single sample with
/// C · z · y <= 20480 to a kernel that unfolds it (LibTorch 2.11, ConvParams::use_mkldnn), which
/// cost a small U-Net two thirds of its step; here oneDNN's kernels, which larger inputs get, do
/// these too. Gradients are those of the layer.
at::Tensor convolve(torch::nn::Conv3dImpl& layer, const at::Tensor& x);

/// The layer applied to x [N, C, z, y, x]; its kernel is as wide as its stride, as in a U-Net, so
/// that no two voxels of x meet in one of the output. On the CPU that is one matrix product, whose
/// rows are voxels, and a copy; ATen leaves it to a loop over single values, and its gradients to
/// a kernel of oneDNN that unfolds. Other layers are ATen's.
at::Tensor transposed_convolve(torch::nn::ConvTranspose3dImpl& layer, const at::Tensor& x);

}  // namespace hepar::nn
