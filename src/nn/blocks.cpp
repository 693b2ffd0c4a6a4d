#include "blocks.h"

#include <ATen/ops/avg_pool3d.h>
#include <ATen/ops/leaky_relu.h>

#include "convolution.h"
#include "norm_activation.h"
#include "weight_init.h"

namespace hepar::nn {
namespace {

torch::nn::Conv3dOptions conv_options(const ConvShape& shape) {
  return torch::nn::Conv3dOptions(shape.in, shape.out, at::IntArrayRef(shape.kernel))
      .stride(at::IntArrayRef(shape.stride))
      .padding({(shape.kernel[0] - 1) / 2, (shape.kernel[1] - 1) / 2, (shape.kernel[2] - 1) / 2})
      .bias(shape.bias);
}

ConvShape following(const ConvShape& first) {
  ConvShape next = first;
  next.in = first.out;
  next.stride = {1, 1, 1};
  return next;
}

bool strides(const Triple& stride) { return stride != Triple{1, 1, 1}; }

}  // namespace

AffineImpl::AffineImpl(std::int64_t channels)
    : weight(register_parameter("weight", torch::ones({channels}))),
      bias(register_parameter("bias", torch::zeros({channels}))) {}

ConvBlockImpl::ConvBlockImpl(const ConvShape& shape) : activate(shape.activate) {
  conv = register_module("conv", undrawn(conv_options(shape)));
  norm = register_module("norm", Affine(shape.out));
}

at::Tensor ConvBlockImpl::forward(const at::Tensor& x) {
  const NormActivation how{kNormEpsilon, activate ? kLeakySlope : 1.0};
  return norm_activation(convolve(*conv, x), norm->weight, norm->bias, how);
}

ConvStackImpl::ConvStackImpl(const ConvShape& first, std::int64_t count) {
  register_module("convs", convs);
  convs->push_back(ConvBlock(first));
  for (std::int64_t i = 1; i < count; ++i) {
    convs->push_back(ConvBlock(following(first)));
  }
}

at::Tensor ConvStackImpl::forward(const at::Tensor& x) {
  at::Tensor y = x;
  for (const auto& block : *convs) {
    y = block->as<ConvBlock>()->forward(y);
  }
  return y;
}

ResidualBlockImpl::ResidualBlockImpl(const ConvShape& shape) : stride(shape.stride) {
  conv1 = register_module("conv1", ConvBlock(shape));
  ConvShape second = following(shape);
  second.activate = false;
  conv2 = register_module("conv2", ConvBlock(second));
  if (shape.in == shape.out) {
    return;
  }
  projection = ConvBlock(ConvShape{
      .in = shape.in, .out = shape.out, .kernel = {1, 1, 1}, .bias = false, .activate = false});
  skip = register_module("skip", torch::nn::ModuleList());
  if (strides(stride)) {
    // nnU-Net's skip is a list whose first entry pools; an empty module keeps its numbering of
    // names.
    skip->push_back(torch::nn::ModuleList());
  }
  skip->push_back(projection);
}

at::Tensor ResidualBlockImpl::forward(const at::Tensor& x) {
  at::Tensor residual = strides(stride) ? at::avg_pool3d(x, stride, stride) : x;
  if (projection) {
    residual = projection->forward(residual);
  }
  return at::leaky_relu(conv2->forward(conv1->forward(x)) + residual, kLeakySlope);
}

ResidualStackImpl::ResidualStackImpl(const ConvShape& first, std::int64_t count) {
  register_module("blocks", blocks);
  blocks->push_back(ResidualBlock(first));
  for (std::int64_t i = 1; i < count; ++i) {
    blocks->push_back(ResidualBlock(following(first)));
  }
}

at::Tensor ResidualStackImpl::forward(const at::Tensor& x) {
  at::Tensor y = x;
  for (const auto& block : *blocks) {
    y = block->as<ResidualBlock>()->forward(y);
  }
  return y;
}

}  // namespace hepar::nn
