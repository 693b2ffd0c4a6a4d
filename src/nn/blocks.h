#pragma once
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>

#include <array>
#include <cstdint>

namespace hepar::nn {

using Triple = std::array<std::int64_t, 3>;

constexpr double kNormEpsilon = 1e-5;  // nnU-Net's InstanceNorm
constexpr double kLeakySlope = 0.01;   // nnU-Net's LeakyReLU

/// One convolution and where it stands. "Same" padding for odd kernels.
struct ConvShape {
  std::int64_t in = 1;
  std::int64_t out = 1;
  Triple kernel{3, 3, 3};
  Triple stride{1, 1, 1};
  bool bias = true;
  bool activate = true;  ///< LeakyReLU after the norm
};

/// Scale and shift of an InstanceNorm; holds parameters only, so that whoever applies them may
/// fuse.
struct AffineImpl : torch::nn::Module {
  explicit AffineImpl(std::int64_t channels);
  at::Tensor weight, bias;  ///< [channels]
};
TORCH_MODULE(Affine);

/// Convolution, InstanceNorm, LeakyReLU. [N, in, z, y, x] -> [N, out, z/s, y/s, x/s].
struct ConvBlockImpl : torch::nn::Module {
  explicit ConvBlockImpl(const ConvShape& shape);
  at::Tensor forward(const at::Tensor& x);

  torch::nn::Conv3d conv{nullptr};
  Affine norm{nullptr};
  bool activate;
};
TORCH_MODULE(ConvBlock);

/// `count` ConvBlocks, the stride in the first.
struct ConvStackImpl : torch::nn::Module {
  ConvStackImpl(const ConvShape& first, std::int64_t count);
  at::Tensor forward(const at::Tensor& x);

  torch::nn::ModuleList convs;
};
TORCH_MODULE(ConvStack);

/// Basic residual block of ResNet-D (He et al., CVPR 2019): the skip path averages instead of
/// striding.
struct ResidualBlockImpl : torch::nn::Module {
  explicit ResidualBlockImpl(const ConvShape& shape);
  at::Tensor forward(const at::Tensor& x);

  ConvBlock conv1{nullptr}, conv2{nullptr};
  torch::nn::ModuleList skip{
      nullptr};  ///< empty when the block neither strides nor changes channels
  Triple stride;
  ConvBlock projection{nullptr};  ///< in `skip` when channels change
};
TORCH_MODULE(ResidualBlock);

/// `count` residual blocks, the stride in the first.
struct ResidualStackImpl : torch::nn::Module {
  ResidualStackImpl(const ConvShape& first, std::int64_t count);
  at::Tensor forward(const at::Tensor& x);

  torch::nn::ModuleList blocks;
};
TORCH_MODULE(ResidualStack);

}  // namespace hepar::nn
