// corn: three logits, z_k for "s >= k given s >= k − 1".
//   loss = Σ_k [s >= k − 1] · BCE(z_k, s >= k), divided by the number of (sample, level) pairs
//   P(s >= k) = Π_{j <= k} σ(z_j), never increasing;  q4 = P(s >= 3), q1 = 1 − P(s >= 1)
//   columns are differences of P(s >= k);  call: q >= ½, stage: the median one
// No activation loss: a level is trained on part of the samples only, and no published row says
// what its map should mean for the others.
// Source: Shi, Cao & Raschka, "Deep neural networks for rank-consistent ordinal regression based on
// conditional probabilities", PAA 2023; checked against coral-pytorch.
#include <ATen/Functions.h>

#include "decoding.h"

namespace hepar {
namespace {

constexpr std::int64_t kLevels = kStageClasses - 1;

class CornHead final : public Head {
 public:
  explicit CornHead(const HeadOptions& options) : Head({kLevels, kLevels, options.features}) {}

  [[nodiscard]] StageScores decode(const at::Tensor& logits) const override {
    return heads::cumulative_scores(at::sigmoid(logits).cumprod(1));
  }

  [[nodiscard]] std::string no_activation_loss() const override {
    return "its levels are conditional: outside the samples that reach a level its map means "
           "nothing";
  }

 protected:
  [[nodiscard]] SampleLoss sample_loss(const at::Tensor& logits,
                                       const at::Tensor& stage) const override {
    const at::Tensor reached = heads::levels_of(stage + 1, logits);
    const at::Tensor entropy =
        heads::binary_cross_entropy(logits, heads::levels_of(stage, logits)) * reached;
    return {entropy.sum(1), reached.sum(1)};
  }
  [[nodiscard]] at::Tensor call_stage(const StageScores& scores) const override {
    return heads::median_stage(scores.probabilities);
  }
};

}  // namespace

std::shared_ptr<Head> make_corn_head(const HeadOptions& options) {
  return std::make_shared<CornHead>(options);
}

}  // namespace hepar
