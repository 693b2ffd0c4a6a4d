// ord: four logits, cross-entropy with a soft label that decays with the distance from the stage
// (SORD).
//   t_i = exp(−a·φ(s, i)) / Σ_k exp(−a·φ(s, k)),  loss = −Σ_i t_i · log softmax(z)_i
//   φ: abs |s − i|;  squared (s − i)²;  log (ln(s + 1) − ln(i + 1))²
//   columns = softmax(z);  q4 = p(S4), q1 = p(S1);  call: q >= ½, stage by the largest column
// The Kullback-Leibler form has the same gradient, softmax(z) − t.
// Source: Díaz & Marathe, "Soft Labels for Ordinal Regression", CVPR 2019, eq. 1; the paper's row
// "Ord" (staging.md §2, with test vectors). The paper does not state φ or a: abs and 1 here.
#include <ATen/Functions.h>

#include "decoding.h"
#include "hepar/core/error.h"

namespace hepar {
namespace {

at::Tensor distance(const at::Tensor& stage, const std::string& kind, at::ScalarType type) {
  const at::Tensor here = stage.to(type).unsqueeze(1);
  const at::Tensor there = at::arange(kStageClasses, stage.options().dtype(type)).unsqueeze(0);
  if (kind == "abs") {
    return (here - there).abs();
  }
  return kind == "squared" ? (here - there).square()
                           : ((here + 1).log() - (there + 1).log()).square();
}

class OrdHead final : public Head {
 public:
  explicit OrdHead(const HeadOptions& options)
      : Head({kStageClasses, kStageClasses, options.features}),
        distance_(options.config.ord_distance),
        scale_(options.config.ord_scale) {
    require<ConfigError>(
        distance_ == "abs" || distance_ == "squared" || distance_ == "log",
        "heads.ord_distance: wanted abs, squared or log, found '" + distance_ + "'");
  }

  [[nodiscard]] StageScores decode(const at::Tensor& logits) const override {
    return heads::softmax_scores(logits);
  }

 protected:
  [[nodiscard]] SampleLoss sample_loss(const at::Tensor& logits,
                                       const at::Tensor& stage) const override {
    const at::Tensor target =
        at::softmax(distance(stage, distance_, logits.scalar_type()) * -scale_, 1);
    const at::Tensor entropy = (target * heads::negative_log_softmax(logits)).sum(1);
    return {entropy, at::ones_like(entropy)};
  }

 private:
  std::string distance_;
  double scale_;
};

}  // namespace

std::shared_ptr<Head> make_ord_head(const HeadOptions& options) {
  return std::make_shared<OrdHead>(options);
}

}  // namespace hepar
