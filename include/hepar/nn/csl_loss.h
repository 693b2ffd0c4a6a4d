#pragma once
#include <hepar/core/config.h>
#include <hepar/nn/head.h>
#include <cstdint>
#include <string>

namespace hepar {

/// The class activation loss ("CAM-SEM loss", wCSL): evidence for a class is to lie in the liver.
/// The published equation could not be verified; this is the author's later public variant with the
/// choices of staging.md §1c.
struct CslConfig {
  double weight = 0;                  ///< key csl.weight; 0: off
  std::string alignment = "tversky";  ///< tversky | dice | energy
  std::string classes = "true";       ///< whose evidence: true | all | predicted
  std::string squash = "gs";          ///< gs | relu_max | min_max
  std::string target = "mask";        ///< mask | sem
  std::string mask = "soft";          ///< to the maps' grid: soft | threshold | nearest
  double false_positive = 0.9;        ///< weights of Tversky
  double false_negative = 0.1;
  double ramp = 0;             ///< part of the steps in which the weight grows from 0
  double semantic_weight = 1;  ///< of the SEM branch's own loss
  void declare(ConfigSchema& schema);
};

/// A map of evidence in [0, 1]: "gs" 2·max(0, σ(z) − ½), an absolute scale; "relu_max"
/// max(z, 0) / its largest value; "min_max" (z − min) / (max − min), the latter two for each sample
/// and map. [N, M, d, h, w].
at::Tensor squash_evidence(const at::Tensor& evidence, const std::string& how);

/// How far each map A is from the mask M, [N, M'] from [N, M', d, h, w] and [N, 1, d, h, w], 0 when
/// it fits:
///   tversky: 1 − (Σ A·M + ε) / (Σ A·M + fp·Σ A·(1 − M) + fn·Σ (1 − A)·M + ε)
///   dice:    1 − (2·Σ A·M + ε) / (Σ A + Σ M + ε)
///   energy:  1 − Σ A·M / (Σ A + ε)
at::Tensor misalignment(const at::Tensor& maps, const at::Tensor& mask, const CslConfig& config);

/// What a sample's activation loss looks at.
struct ActivationSample {
  const at::Tensor& features;  ///< [N, K, d, h, w], what was averaged and classified
  const at::Tensor& logits;    ///< [N, W]
  const at::Tensor& stage;     ///< [N] int64
  const at::Tensor& mask;      ///< [N, 1, z, y, x] in [0, 1], warped like the image
  /// [N]: 0 where the mask is missing or carried over from another sequence; undefined: all 1.
  const at::Tensor& mask_weight;
  const at::Tensor& semantic;  ///< logits of the SEM branch [N, 1, d, h, w]; undefined without
};

class CslLoss {
 public:
  /// Throws ConfigError with the reason where the head has no class activation loss.
  CslLoss(const CslConfig& config, const Head& head);

  /// Sums over samples, float or wider. `denominator` counts the samples whose mask is usable: of
  /// weight above 0 and not empty on the maps' grid.
  struct Sums {
    at::Tensor activation, semantic;  ///< scalars
    double denominator = 0;
  };
  [[nodiscard]] Sums forward(const ActivationSample& samples, const Head& head) const;

  /// The weight at a step (0-based) of `steps`.
  [[nodiscard]] double weight_at(std::int64_t step, std::int64_t steps) const;

 private:
  CslConfig config_;
};

}  // namespace hepar
