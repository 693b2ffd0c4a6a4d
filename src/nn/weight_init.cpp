#include "weight_init.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <string>
#include <string_view>

#include "blocks.h"
#include "hepar/core/random.h"

namespace hepar::nn {
namespace {

/// Kaiming's standard deviation for LeakyReLU; fan in as torch counts it: dimension 1 × receptive
/// field, also for transposed convolutions, whose dimension 1 is their output.
double kaiming_std(const at::Tensor& weight) {
  const double fan_in = static_cast<double>(weight.numel() / weight.size(0));
  return std::sqrt(2.0 / (1.0 + kLeakySlope * kLeakySlope) / fan_in);
}

void fill_normal_(at::Tensor& weight, double std, RandomStream random) {
  at::Tensor host = at::empty(weight.sizes(), at::TensorOptions().dtype(at::kFloat));
  float* values = host.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < host.numel(); ++i) {
    values[i] = static_cast<float>(std * random.normal());
  }
  weight.copy_(host);
}

constexpr double kLinearStd = 0.01;

RandomStream stream_of(std::uint64_t seed, std::uint32_t parameter) {
  return RandomStream({.seed = seed, .purpose = Purpose::kInitialWeights, .slot = parameter});
}

}  // namespace

void draw_initial_weights(torch::nn::Module& network, std::uint64_t seed) {
  const at::NoGradGuard no_grad;
  std::uint32_t index = 0;
  for (auto& parameter : network.named_parameters()) {
    const std::string_view name = parameter.key();
    at::Tensor& value = parameter.value();
    if (value.dim() == 5) {
      fill_normal_(value, kaiming_std(value), stream_of(seed, index));
    } else if (name.ends_with("norm.weight")) {
      value.fill_(name.ends_with("conv2.norm.weight") ? 0.0 : 1.0);
    } else {
      value.zero_();
    }
    ++index;
  }
}

void draw_residual_weights(torch::nn::Module& network, std::uint64_t seed, std::uint32_t first) {
  const at::NoGradGuard no_grad;
  std::uint32_t index = first;
  for (auto& parameter : network.named_parameters()) {
    at::Tensor& value = parameter.value();
    if (value.dim() == 5) {
      const auto fan_out = static_cast<double>(value.numel() / value.size(1));
      fill_normal_(value, std::sqrt(2.0 / fan_out), stream_of(seed, index));
    } else if (value.dim() == 2) {
      fill_normal_(value, kLinearStd, stream_of(seed, index));
    } else {
      value.fill_(parameter.key().ends_with("weight") ? 1.0 : 0.0);
    }
    ++index;
  }
}

}  // namespace hepar::nn
