#include "residual_norm.h"

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>

#include "hepar/core/error.h"
#include "norm_activation.h"

namespace hepar::nn {
namespace {

constexpr double kEpsilon = 1e-5;
constexpr double kMomentum = 0.1;
constexpr std::int64_t kGroupChannels = 2;  // staging.md §0: planes / 2 groups

struct ExchangeHolder : torch::CustomClassHolder {
  explicit ExchangeHolder(SumExchange function) : exchange(std::move(function)) {}
  SumExchange exchange;
};

std::vector<double> to_values(const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  return {host.const_data_ptr<double>(), host.const_data_ptr<double>() + host.numel()};
}

at::Tensor exchanged(const at::Tensor& sums, const SumExchange& exchange) {
  std::vector<double> values = to_values(sums);
  exchange(values);
  return at::tensor(values, at::TensorOptions().dtype(at::kDouble)).to(sums.device());
}

/// Sums over ranks. Every rank's loss depends on them, so the gradient is summed over ranks too.
class GlobalSums : public torch::autograd::Function<GlobalSums> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& sums,
                            const SumExchange& exchange) {
    context->saved_data["exchange"] =
        c10::IValue::make_capsule(c10::make_intrusive<ExchangeHolder>(exchange));
    return exchanged(sums, exchange);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto capsule = context->saved_data["exchange"].toCapsule();
    const auto& holder = static_cast<const ExchangeHolder&>(*capsule);
    return {exchanged(gradients[0], holder.exchange), at::Tensor()};
  }
};

at::Tensor per_channel(const at::Tensor& values) { return values.view({1, -1, 1, 1, 1}); }

}  // namespace

ResidualNormImpl::ResidualNormImpl(std::int64_t channels, bool batch_norm)
    : weight(register_parameter("weight", at::ones({channels}))),
      bias(register_parameter("bias", at::zeros({channels}))),
      batch(batch_norm) {
  require<ConfigError>(batch || channels % kGroupChannels == 0,
                       "backbone.width: GroupNorm wants an even number of channels, found " +
                           std::to_string(channels));
  if (batch) {
    running_mean = register_buffer("running_mean", at::zeros({channels}));
    running_var = register_buffer("running_var", at::ones({channels}));
  }
}

at::Tensor ResidualNormImpl::forward(const at::Tensor& x, double slope) {
  if (!batch) {
    return norm_activation(x, weight, bias, {kEpsilon, slope, weight.numel() / kGroupChannels});
  }
  const at::Tensor y = batch_norm(x);
  return slope == kRelu ? at::relu(y) : y;
}

at::Tensor ResidualNormImpl::batch_norm(const at::Tensor& x) {
  if (!is_training()) {
    return at::batch_norm(x, weight, bias, running_mean, running_var, /*training=*/false, kMomentum,
                          kEpsilon, /*cudnn_enabled=*/true);
  }
  const std::int64_t channels = x.size(1);
  const at::Tensor count =
      at::full({1}, static_cast<double>(x.numel() / channels), x.options().dtype(at::kDouble));
  const std::array<std::int64_t, 4> axes{0, 2, 3, 4};
  at::Tensor sums =
      at::cat({count, x.sum(axes, false, at::kDouble), x.square().sum(axes, false, at::kDouble)});
  batch_sums = to_values(sums);
  if (exchange) {
    sums = GlobalSums::apply(sums, exchange);
  }
  const at::Tensor moments = sums.slice(0, 1) / sums.slice(0, 0, 1);
  const at::Tensor mean = moments.slice(0, 0, channels);
  const at::Tensor variance = (moments.slice(0, channels) - mean.square()).clamp_min(0);
  const at::Tensor scale = weight * (variance + kEpsilon).rsqrt();
  const at::Tensor shift = bias - mean * scale;
  return at::addcmul(per_channel(shift.to(x.scalar_type())), x,
                     per_channel(scale.to(x.scalar_type())));
}

std::size_t ResidualNormImpl::sums() const {
  return batch ? 1 + 2 * static_cast<std::size_t>(weight.numel()) : 0;
}

void ResidualNormImpl::update(const double* totals) {
  const at::NoGradGuard no_grad;
  const std::int64_t channels = weight.numel();
  const double count = totals[0];
  require<ShapeError>(count > 1, "BatchNorm: running statistics want more than one voxel");
  for (std::int64_t c = 0; c < channels; ++c) {
    const double mean = totals[1 + c] / count;
    const double variance = std::max(0.0, totals[1 + channels + c] / count - mean * mean);
    running_mean[c].mul_(1 - kMomentum).add_(kMomentum * mean);
    running_var[c].mul_(1 - kMomentum).add_(kMomentum * variance * count / (count - 1));
  }
}

}  // namespace hepar::nn
