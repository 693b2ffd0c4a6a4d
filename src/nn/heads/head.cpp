#include "hepar/nn/head.h"

#include <ATen/Functions.h>

#include "full_precision.h"
#include "hepar/core/error.h"

namespace hepar {
namespace {

void check_stages(const at::Tensor& stage) {
  if (!stage.is_cpu() || stage.numel() == 0) {
    return;  // on a GPU the check would stall every step
  }
  const at::Tensor wrong = stage.masked_select(stage.lt(0).logical_or_(stage.ge(kStageClasses)));
  if (wrong.numel() > 0) {
    throw DataError("stage loss: wanted stages S1 to S4 (0 to 3), found " +
                    std::to_string(wrong[0].item<std::int64_t>()) +
                    "; check the cohort's stages and its selection");
  }
}

}  // namespace

Head::Head(const Size& size)
    : weight_(register_parameter("weight", at::zeros({size.rows, size.features}))),
      bias_(register_parameter("bias", at::zeros({size.logits}))) {}

at::Tensor Head::forward(const at::Tensor& pooled) const {
  const nn::NoAutocast full_precision;
  return at::addmm(class_bias(), nn::wide(pooled), class_weight().t());
}

at::Tensor Head::class_weight() const { return weight_; }

SampleLoss Head::loss(const at::Tensor& logits, const at::Tensor& stage) const {
  require<ShapeError>(logits.dim() == 2 && logits.size(1) == this->logits() && stage.dim() == 1 &&
                          stage.size(0) == logits.size(0) && stage.scalar_type() == at::kLong,
                      "stage loss: wanted logits [N, " + std::to_string(this->logits()) +
                          "] and stages [N] int64, found " + c10::str(logits.sizes()) + " and " +
                          c10::str(stage.sizes(), " ", stage.scalar_type()));
  check_stages(stage);
  const nn::NoAutocast full_precision;
  return sample_loss(nn::wide(logits), stage);
}

StageCalls Head::call(const StageScores& scores) const {
  return {scores.q4.ge(0.5), scores.q1.ge(0.5), call_stage(scores)};
}

at::Tensor Head::call_stage(const StageScores& scores) const {
  return scores.probabilities.argmax(1);
}

at::Tensor Head::evidence(const at::Tensor& maps, const Samples& samples, EvidenceOf whose) const {
  // Of one logit a stage: the map of a stage is its own evidence.
  if (whose == EvidenceOf::kAll) {
    return maps;
  }
  const at::Tensor row =
      whose == EvidenceOf::kTrueStage ? samples.stage : samples.logits.detach().argmax(1);
  const std::vector<std::int64_t> one{maps.size(0), 1, maps.size(2), maps.size(3), maps.size(4)};
  return maps.gather(1, row.view({-1, 1, 1, 1, 1}).expand(one));
}

void Head::preset_bias() {
  const at::NoGradGuard no_grad;
  bias_.zero_();
}

}  // namespace hepar
