#include "hepar/train/training_step.h"

namespace hepar {
namespace {

using Logits = std::vector<at::Tensor>;
using Parts = std::vector<std::vector<double>>;

Logits logits_of(const TrainingStep& step, const SegmentationBatch& batch) {
  return step.network.forward(batch.image.to(step.device, /*non_blocking=*/true));
}

SegmentationLoss::Terms terms_of(const TrainingStep& step, const Logits& logits,
                                 const SegmentationBatch& batch) {
  return step.loss.forward(logits, batch.labels.to(step.device, /*non_blocking=*/true));
}

/// Frees the graph.
void backward(const TrainingStep& step, SegmentationLoss::Terms& terms,
              const std::vector<double>& totals, bool last) {
  if (last) {
    step.reducer.overlap_next_backward();
  }
  (step.loss.surrogate(terms, totals) * step.loss_scale).backward();
  terms.graph.clear();
  step.reducer.add_micro_batch();
}

std::vector<double> total(const TrainingStep& step, const Parts& parts) {
  return reduce_in_order(parts, step.communicator, step.reduction);
}

std::vector<double> total_denominators(const TrainingStep& step, const Logits& logits,
                                       const std::vector<SegmentationBatch>& batches) {
  Parts parts;
  for (const SegmentationBatch& batch : batches) {
    parts.push_back(step.loss.denominators(logits, batch.labels));
  }
  return total(step, parts);
}

/// The sums' values are asked for at the end only: on a GPU that waits for all of the work.
std::vector<double> one_by_one(const TrainingStep& step,
                               const std::vector<SegmentationBatch>& batches) {
  std::vector<double> denominators;
  std::vector<SegmentationLoss::Terms> terms;
  for (const SegmentationBatch& batch : batches) {
    const Logits logits = logits_of(step, batch);
    if (denominators.empty()) {
      denominators = total_denominators(step, logits, batches);
    }
    terms.push_back(terms_of(step, logits, batch));
    backward(step, terms.back(), denominators, &batch == &batches.back());
  }
  step.reducer.finish();
  Parts parts;
  for (const SegmentationLoss::Terms& term : terms) {
    parts.push_back(term.sums());
  }
  return total(step, parts);
}

std::vector<double> all_forward_first(const TrainingStep& step,
                                      const std::vector<SegmentationBatch>& batches) {
  std::vector<SegmentationLoss::Terms> terms;
  Parts parts;
  for (const SegmentationBatch& batch : batches) {
    terms.push_back(terms_of(step, logits_of(step, batch), batch));
    parts.push_back(terms.back().sums());
  }
  const std::vector<double> totals = total(step, parts);
  for (SegmentationLoss::Terms& term : terms) {
    backward(step, term, totals, &term == &terms.back());
  }
  step.reducer.finish();
  return totals;
}

}  // namespace

SegmentationLoss::Value backward_global_batch(const TrainingStep& step,
                                              const std::vector<SegmentationBatch>& batches) {
  return step.loss.value(step.loss.has_batch_dice() ? all_forward_first(step, batches)
                                                    : one_by_one(step, batches));
}

}  // namespace hepar
