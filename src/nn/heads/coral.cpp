// coral: one weight vector and three biases, a logit for each of s >= 1, s >= 2, s >= 3.
//   loss = Σ_k BCE(z_k, s >= k);  P(s >= k) = σ(z_k);  q4 = σ(z_3), q1 = 1 − σ(z_1)
//   columns are differences of P(s >= k);  call: q >= ½, stage: the median one
// Biases start at 1, 2/3, 1/3. Training orders them; where they are not in order columns are
// clipped and the sample is flagged.
// No activation loss: all levels share one weight vector, so the same voxel speaks for one level of
// a middle stage and against another.
// Source: Cao, Mirjalili & Raschka, "Rank consistent ordinal regression …", Pattern Recognition
// Letters 140 (2020); checked against coral-pytorch.
#include <ATen/Functions.h>

#include "decoding.h"

namespace hepar {
namespace {

constexpr std::int64_t kLevels = kStageClasses - 1;

class CoralHead final : public Head {
 public:
  explicit CoralHead(const HeadOptions& options) : Head({1, kLevels, options.features}) {}

  [[nodiscard]] at::Tensor class_weight() const override {
    return weight_.expand({kLevels, weight_.size(1)});
  }

  [[nodiscard]] StageScores decode(const at::Tensor& logits) const override {
    return heads::cumulative_scores(at::sigmoid(logits));
  }

  [[nodiscard]] std::string no_activation_loss() const override {
    return "its levels share one weight vector: a voxel that speaks for one level of a middle "
           "stage speaks against the next";
  }

  void preset_bias() override {
    const at::NoGradGuard no_grad;
    for (std::int64_t level = 0; level < kLevels; ++level) {
      bias_[level] = static_cast<double>(kLevels - level) / static_cast<double>(kLevels);
    }
  }

 protected:
  [[nodiscard]] SampleLoss sample_loss(const at::Tensor& logits,
                                       const at::Tensor& stage) const override {
    const at::Tensor entropy =
        heads::binary_cross_entropy(logits, heads::levels_of(stage, logits)).sum(1);
    return {entropy, at::ones_like(entropy)};
  }
  [[nodiscard]] at::Tensor call_stage(const StageScores& scores) const override {
    return heads::median_stage(scores.probabilities);
  }
};

}  // namespace

std::shared_ptr<Head> make_coral_head(const HeadOptions& options) {
  return std::make_shared<CoralHead>(options);
}

}  // namespace hepar
