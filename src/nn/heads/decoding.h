#pragma once
#include <ATen/core/Tensor.h>

#include "hepar/nn/head.h"

namespace hepar::heads {

/// Scores of a softmax over the four stages.
StageScores softmax_scores(const at::Tensor& logits);

/// Scores from P(s >= 1), P(s >= 2), P(s >= 3) [N, 3]. Columns are their differences; where they
/// do not decrease, negative columns become 0, the rest is scaled to 1 and the row is flagged.
StageScores cumulative_scores(const at::Tensor& at_least);

/// How many of P(s >= 1), P(s >= 2), P(s >= 3) are at least ½: the median stage.
at::Tensor median_stage(const at::Tensor& probabilities);

/// −log of the softmax [N, 4].
at::Tensor negative_log_softmax(const at::Tensor& logits);

/// Binary cross-entropy of each logit with its target, unreduced.
at::Tensor binary_cross_entropy(const at::Tensor& logits, const at::Tensor& target);

/// [N, 3]: whether the stage is at least 1, 2, 3.
at::Tensor levels_of(const at::Tensor& stage, const at::Tensor& like);

}  // namespace hepar::heads
