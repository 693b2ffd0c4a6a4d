// bce: two logits on one network, z4 for "S4 or not" and z1 for "S1 or not".
//   loss = ½ · (BCE(z4, s = 3) + BCE(z1, s = 0));  q4 = σ(z4), q1 = σ(z1);  call: q >= ½
//   columns: S4 = q4, S1 = q1, the rest split between S2 and S3 by their shares in training. Where
//   q4 + q1 > 1 nothing is left: S4 and S1 are scaled to 1 and the sample is flagged.
//   stage: S4 where q4 >= ½ and q4 >= q1, else S1 where q1 >= ½, else the larger of S2 and S3.
// Activation loss: each logit is evidence for its class with a positive sign, against it with a
// negative one.
// Source: the paper's rows "BCE" and "BCE wCSL" (staging.md §2); how four columns come from two
// tasks is ours.
#include <ATen/Functions.h>

#include "decoding.h"

namespace hepar {
namespace {

constexpr double kSmallest = 1e-12;

/// Targets [N, 2]: is S4, is S1.
at::Tensor tasks_of(const at::Tensor& stage, at::ScalarType type) {
  return at::stack({stage.eq(kStageClasses - 1), stage.eq(0)}, 1).to(type);
}

class BceHead final : public Head {
 public:
  explicit BceHead(const HeadOptions& options) : Head({2, 2, options.features}) {
    const double s2 = options.stage_prior[1], s3 = options.stage_prior[2];
    second_share_ = s2 + s3 > 0 ? s2 / (s2 + s3) : 0.5;
  }

  [[nodiscard]] StageScores decode(const at::Tensor& logits) const override {
    const at::Tensor q = at::sigmoid(logits);
    const at::Tensor q4 = q.select(1, 0), q1 = q.select(1, 1);
    const at::Tensor scale = (q4 + q1).clamp_min(1);
    const at::Tensor rest = (1 - q4 - q1).clamp_min(0);
    const at::Tensor columns =
        at::stack({q1 / scale, rest * second_share_, rest * (1 - second_share_), q4 / scale}, 1);
    return {columns, q4, q1, (q4 + q1).gt(1)};
  }

  [[nodiscard]] std::string four_columns() const override {
    return "S4 = q4, S1 = q1, the rest split between S2 and S3 by the training prior; scaled to 1 "
           "and flagged where q4 + q1 > 1";
  }

  [[nodiscard]] at::Tensor evidence(const at::Tensor& maps, const Samples& samples,
                                    EvidenceOf whose) const override {
    if (whose == EvidenceOf::kAll) {
      return at::cat({maps, -maps}, 1);
    }
    const at::Tensor positive = whose == EvidenceOf::kTrueStage
                                    ? tasks_of(samples.stage, maps.scalar_type())
                                    : samples.logits.detach().gt(0).to(maps.scalar_type());
    return maps * (2 * positive - 1).view({-1, 2, 1, 1, 1});
  }

 protected:
  [[nodiscard]] SampleLoss sample_loss(const at::Tensor& logits,
                                       const at::Tensor& stage) const override {
    const at::Tensor entropy =
        heads::binary_cross_entropy(logits, tasks_of(stage, logits.scalar_type())).mean(1);
    return {entropy, at::ones_like(entropy)};
  }

  [[nodiscard]] at::Tensor call_stage(const StageScores& scores) const override {
    const at::Tensor middle = scores.probabilities.narrow(1, 1, 2).clamp_min(kSmallest).argmax(1);
    const at::Tensor early = at::where(scores.q1.ge(0.5), at::zeros_like(middle), middle + 1);
    const at::Tensor cirrhosis = scores.q4.ge(0.5).logical_and(scores.q4.ge(scores.q1));
    return at::where(cirrhosis, at::full_like(middle, kStageClasses - 1), early);
  }

 private:
  double second_share_;
};

}  // namespace

std::shared_ptr<Head> make_bce_head(const HeadOptions& options) {
  return std::make_shared<BceHead>(options);
}

}  // namespace hepar
