#include "hepar/nn/csl_loss.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>

#include "full_precision.h"
#include "hepar/core/error.h"
#include "hepar/nn/class_activation.h"

namespace hepar {
namespace {

constexpr double kEpsilon = 1e-6;
constexpr double kEmptyMask = 1e-6;  // Σ of a mask on the maps' grid

EvidenceOf evidence_of(const std::string& classes) {
  if (classes == "all") {
    return EvidenceOf::kAll;
  }
  return classes == "predicted" ? EvidenceOf::kPredicted : EvidenceOf::kTrueStage;
}

at::Tensor over_voxels(const at::Tensor& maps) { return maps.sum({2, 3, 4}); }

at::Tensor soft_dice(const at::Tensor& maps, const at::Tensor& mask) {
  return (2 * over_voxels(maps * mask) + kEpsilon) /
         (over_voxels(maps) + over_voxels(mask) + kEpsilon);
}

/// Dice and binary cross-entropy of the SEM branch, [N].
at::Tensor semantic_loss(const at::Tensor& logits, const at::Tensor& mask) {
  const at::Tensor entropy =
      at::binary_cross_entropy_with_logits(logits, mask, {}, {}, at::Reduction::None);
  return entropy.mean({1, 2, 3, 4}) + 1 - soft_dice(at::sigmoid(logits), mask).squeeze(1);
}

/// Weights [N] of the samples, 0 where the mask is empty.
at::Tensor usable(const at::Tensor& mask, const at::Tensor& weight) {
  const at::Tensor there = over_voxels(mask).squeeze(1).gt(kEmptyMask).to(mask.scalar_type());
  return weight.defined() ? there * weight.to(mask.scalar_type()) : there;
}

}  // namespace

void CslConfig::declare(ConfigSchema& schema) {
  schema.add("weight", weight, "Weight of the class activation loss; 0: off", Range{.low = 0});
  schema.add_choice("alignment", alignment, {"tversky", "dice", "energy"},
                    "How evidence is compared with the mask; energy: the share of it outside");
  schema.add_choice("classes", classes, {"true", "all", "predicted"},
                    "Whose evidence is compared: of the true stage, all or the predicted one");
  schema.add_choice("squash", squash, {"gs", "relu_max", "min_max"},
                    "How activation becomes evidence in [0, 1]");
  schema.add_choice("target", target, {"mask", "sem"},
                    "What evidence is compared with: the mask, or a branch that learns it");
  schema.add_choice("mask", mask, {"soft", "threshold", "nearest"},
                    "How the mask is brought to the grid of the activation maps");
  schema.add("false_positive", false_positive, "Tversky's weight of evidence outside the mask",
             Range{.low = 0});
  schema.add("false_negative", false_negative, "Tversky's weight of mask without evidence",
             Range{.low = 0});
  schema.add("ramp", ramp, "Part of the steps in which the weight grows linearly from 0",
             Range{.low = 0, .high = 1});
  schema.add("semantic_weight", semantic_weight, "Weight of the branch's own loss with target sem",
             Range{.low = 0});
}

at::Tensor squash_evidence(const at::Tensor& evidence, const std::string& how) {
  const at::Tensor z = nn::wide(evidence);
  if (how == "gs") {
    return 2 * at::relu(at::sigmoid(z) - 0.5);
  }
  if (how == "relu_max") {
    const at::Tensor positive = at::relu(z);
    return positive / (positive.amax({2, 3, 4}, true) + kEpsilon);
  }
  require<ConfigError>(how == "min_max",
                       "csl.squash: wanted gs, relu_max or min_max, found '" + how + "'");
  const at::Tensor low = z.amin({2, 3, 4}, true), high = z.amax({2, 3, 4}, true);
  return (z - low) / (high - low + kEpsilon);
}

at::Tensor misalignment(const at::Tensor& maps, const at::Tensor& mask, const CslConfig& config) {
  if (config.alignment == "dice") {
    return 1 - soft_dice(maps, mask);
  }
  const at::Tensor inside = over_voxels(maps * mask);
  if (config.alignment == "energy") {
    return 1 - inside / (over_voxels(maps) + kEpsilon);
  }
  require<ConfigError>(
      config.alignment == "tversky",
      "csl.alignment: wanted tversky, dice or energy, found '" + config.alignment + "'");
  const at::Tensor outside = over_voxels(maps * (1 - mask));
  const at::Tensor missing = over_voxels((1 - maps) * mask);
  return 1 - (inside + kEpsilon) / (inside + config.false_positive * outside +
                                    config.false_negative * missing + kEpsilon);
}

CslLoss::CslLoss(const CslConfig& config, const Head& head) : config_(config) {
  const std::string reason = head.no_activation_loss();
  require<ConfigError>(reason.empty(),
                       "csl.weight: this head has no class activation loss: " + reason +
                           "; set csl.weight to 0, or head to ce, bce or "
                           "ord");
}

CslLoss::Sums CslLoss::forward(const ActivationSample& samples, const Head& head) const {
  require<ShapeError>(samples.mask.defined() && samples.mask.size(0) == samples.features.size(0),
                      "class activation loss: wanted a mask for every VOI");
  require<ShapeError>(config_.target == "mask" || samples.semantic.defined(),
                      "class activation loss: csl.target sem wants the network's SEM branch");
  const nn::NoAutocast full_precision;
  const at::Tensor maps = head.evidence(
      class_activation_maps(samples.features, head.class_weight()),
      {.logits = samples.logits, .stage = samples.stage}, evidence_of(config_.classes));
  const at::Tensor mask =
      mask_on_grid(samples.mask, samples.features.sizes().slice(2), config_.mask)
          .to(maps.scalar_type());
  const at::Tensor weight = usable(mask, samples.mask_weight);
  const bool learnt = config_.target == "sem";
  const at::Tensor semantic = learnt ? nn::wide(samples.semantic) : at::Tensor();
  const at::Tensor target = learnt ? at::sigmoid(semantic).detach() : mask;
  const at::Tensor apart =
      misalignment(squash_evidence(maps, config_.squash), target, config_).mean(1);
  Sums sums;
  sums.activation = (apart * weight).sum();
  sums.semantic = learnt ? config_.semantic_weight * (semantic_loss(semantic, mask) * weight).sum()
                         : at::zeros_like(sums.activation);
  sums.denominator = weight.sum().item<double>();
  return sums;
}

double CslLoss::weight_at(std::int64_t step, std::int64_t steps) const {
  const double length = config_.ramp * static_cast<double>(steps);
  const double part = length > 0 ? static_cast<double>(step) / length : 1.0;
  return config_.weight * std::min(1.0, part);
}

}  // namespace hepar
