#include "decoding.h"

#include <ATen/Functions.h>

namespace hepar::heads {

StageScores softmax_scores(const at::Tensor& logits) {
  const at::Tensor p = at::softmax(logits, 1);
  return {p, p.select(1, kStageClasses - 1), p.select(1, 0),
          at::zeros_like(p.select(1, 0), at::kBool)};
}

StageScores cumulative_scores(const at::Tensor& at_least) {
  const at::Tensor ends = at::zeros_like(at_least.narrow(1, 0, 1));
  const at::Tensor columns =
      at::cat({ends + 1, at_least}, 1) - at::cat({at_least, ends}, 1);  // P(s >= k) − P(s >= k+1)
  const at::Tensor kept = columns.clamp_min(0);
  return {kept / kept.sum(1, /*keepdim=*/true), at_least.select(1, kStageClasses - 2),
          1 - at_least.select(1, 0), columns.lt(0).any(1)};
}

at::Tensor median_stage(const at::Tensor& probabilities) {
  const at::Tensor at_least = probabilities.flip({1}).cumsum(1).narrow(1, 0, kStageClasses - 1);
  return at_least.ge(0.5).sum(1);
}

at::Tensor negative_log_softmax(const at::Tensor& logits) { return -at::log_softmax(logits, 1); }

at::Tensor binary_cross_entropy(const at::Tensor& logits, const at::Tensor& target) {
  return at::binary_cross_entropy_with_logits(logits, target, {}, {}, at::Reduction::None);
}

at::Tensor levels_of(const at::Tensor& stage, const at::Tensor& like) {
  const at::Tensor levels = at::arange(1, kStageClasses, stage.options());
  return stage.unsqueeze(1).ge(levels).to(like.scalar_type());
}

}  // namespace hepar::heads
