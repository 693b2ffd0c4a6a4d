// ce: four logits, softmax cross-entropy with the stage.
//   loss = −log softmax(z)[s];  columns = softmax(z);  q4 = p(S4), q1 = p(S1)
//   call: q >= ½, stage by the largest column
// Source: the paper's rows "CE" and "CE wCSL"; the winner's code reads softmax[3] and softmax[0]
// (staging.md §0, §2).
#include <ATen/Functions.h>

#include "decoding.h"

namespace hepar {
namespace {

class CeHead final : public Head {
 public:
  explicit CeHead(const HeadOptions& options)
      : Head({kStageClasses, kStageClasses, options.features}) {}

  [[nodiscard]] StageScores decode(const at::Tensor& logits) const override {
    return heads::softmax_scores(logits);
  }

 protected:
  [[nodiscard]] SampleLoss sample_loss(const at::Tensor& logits,
                                       const at::Tensor& stage) const override {
    const at::Tensor entropy =
        heads::negative_log_softmax(logits).gather(1, stage.unsqueeze(1)).squeeze(1);
    return {entropy, at::ones_like(entropy)};
  }
};

}  // namespace

std::shared_ptr<Head> make_ce_head(const HeadOptions& options) {
  return std::make_shared<CeHead>(options);
}

}  // namespace hepar
