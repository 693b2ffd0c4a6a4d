#include "hepar/nn/staging_network.h"

#include <ATen/Functions.h>
#include <torch/nn/modules/conv.h>

#include "convolution.h"
#include "residual_norm.h"
#include "weight_init.h"

namespace hepar {
namespace {

constexpr std::int64_t kSemanticChannels = 32;  // staging.md §0

torch::nn::Conv3d convolution(std::int64_t in, std::int64_t out, std::int64_t kernel) {
  return torch::nn::Conv3d(
      torch::nn::Conv3dOptions(in, out, kernel).padding(kernel / 2).bias(false));
}

double ratio(double numerator, double denominator) {
  return denominator > 0 ? numerator / denominator : 0;
}

}  // namespace

/// K -> 32 -> 32 -> 1 at the features' own grid.
struct StagingNetwork::SemanticBranch : torch::nn::Module {
  explicit SemanticBranch(std::int64_t features)
      : conv1(register_module("conv1", convolution(features, kSemanticChannels, 3))),
        norm1(register_module("norm1", nn::ResidualNorm(kSemanticChannels, /*batch=*/false))),
        conv2(register_module("conv2", convolution(kSemanticChannels, kSemanticChannels, 3))),
        norm2(register_module("norm2", nn::ResidualNorm(kSemanticChannels, /*batch=*/false))),
        conv3(register_module("conv3", convolution(kSemanticChannels, 1, 1))) {}

  at::Tensor forward(const at::Tensor& features) {
    at::Tensor x = norm1->forward(nn::convolve(*conv1, features), nn::kRelu);
    x = norm2->forward(nn::convolve(*conv2, x), nn::kRelu);
    return conv3->forward(x);
  }

  torch::nn::Conv3d conv1;
  nn::ResidualNorm norm1;
  torch::nn::Conv3d conv2;
  nn::ResidualNorm norm2;
  torch::nn::Conv3d conv3;
};

StagingNetwork::StagingNetwork(const StagingOptions& options, std::uint64_t seed)
    : volume_(options.volume) {
  backbone_ = register_module(
      "backbone",
      make_backbone(options.backbone, input_channels(volume_, options.in_channels), seed));
  head_ = register_module("head", make_head({.config = options.head,
                                             .features = backbone_->channels(),
                                             .stage_prior = options.stage_prior}));
  if (options.semantic_branch) {
    semantic_ =
        register_module("semantic", std::make_shared<SemanticBranch>(backbone_->channels()));
  }
  auto drawn = static_cast<std::uint32_t>(backbone_->parameters().size());
  nn::draw_residual_weights(*head_, seed, drawn);
  head_->preset_bias();
  if (semantic_) {
    drawn += static_cast<std::uint32_t>(head_->parameters().size());
    nn::draw_residual_weights(*semantic_, seed, drawn);
  }
}

StagingNetwork::~StagingNetwork() = default;

void StagingNetwork::use(const Compute& compute) {
  to(compute.device);
  compute_ = compute;
}

StagingOutput StagingNetwork::forward(const at::Tensor& voi) {
  const Autocast autocast(compute_);
  StagingOutput output;
  output.features = backbone_->forward(volume_input(voi, volume_));
  const auto type = output.features.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  output.logits = head_->forward(output.features.mean({2, 3, 4}, /*keepdim=*/false, type));
  if (semantic_) {
    output.semantic = semantic_->forward(output.features);
  }
  return output;
}

void StagingNetwork::whiten_features(std::size_t count, const Backbone::VoiAt& voi_at) {
  backbone_->whiten_features(count,
                             [&](std::size_t i) { return volume_input(voi_at(i), volume_); });
}

StagingLoss::StagingLoss(const CslConfig& csl, const Head& head)
    : head_(head), csl_(csl.weight > 0 ? std::make_shared<const CslLoss>(csl, head) : nullptr) {}

StagingLoss::Terms StagingLoss::forward(const StagingOutput& output,
                                        const StagingTargets& targets) const {
  const SampleLoss loss = head_.loss(output.logits, targets.stage);
  const at::Tensor weight = targets.weight.defined()
                                ? targets.weight.to(loss.numerator.scalar_type())
                                : at::ones_like(loss.denominator);
  Terms terms;
  terms.graph.push_back((loss.numerator * weight).sum());
  terms.sums = {terms.graph[0].item<double>(), (loss.denominator * weight).sum().item<double>()};
  if (csl_) {
    const CslLoss::Sums sums = csl_->forward({.features = output.features,
                                              .logits = output.logits,
                                              .stage = targets.stage,
                                              .mask = targets.mask,
                                              .mask_weight = targets.mask_weight,
                                              .semantic = output.semantic},
                                             head_);
    terms.graph.push_back(sums.activation);
    terms.graph.push_back(sums.semantic);
    terms.sums.insert(terms.sums.end(), {sums.activation.item<double>(),
                                         sums.semantic.item<double>(), sums.denominator});
  }
  terms.sums.resize(kSums, 0);
  return terms;
}

at::Tensor StagingLoss::surrogate(const Terms& terms, const std::vector<double>& totals,
                                  double csl_weight) const {
  at::Tensor result = terms.graph[0] * ratio(1, totals[1]);
  if (csl_) {
    result = result + (terms.graph[1] * csl_weight + terms.graph[2]) * ratio(1, totals[4]);
  }
  return result;
}

StagingLoss::Value StagingLoss::value(const std::vector<double>& totals, double csl_weight) const {
  Value value;
  value.head = ratio(totals[0], totals[1]);
  value.activation = ratio(totals[2], totals[4]);
  value.semantic = ratio(totals[3], totals[4]);
  value.loss = value.head + csl_weight * value.activation + value.semantic;
  value.usable_masks = totals[4];
  return value;
}

double StagingLoss::csl_weight_at(std::int64_t step, std::int64_t steps) const {
  return csl_ ? csl_->weight_at(step, steps) : 0;
}

}  // namespace hepar
