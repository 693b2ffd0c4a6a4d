#include "hepar/train/training_step.h"

namespace hepar {

SegmentationLoss::Value backward_global_batch(const TrainingStep& step,
                                              const std::vector<SegmentationBatch>& batches) {
  std::vector<SegmentationLoss::Terms> terms;
  std::vector<std::vector<double>> sums;
  for (const SegmentationBatch& batch : batches) {
    terms.push_back(step.loss.forward(step.network.forward(batch.image), batch.labels));
    sums.push_back(terms.back().sums);
  }
  const std::vector<double> totals = reduce_in_order(sums, step.communicator, step.reduction);
  for (SegmentationLoss::Terms& term : terms) {
    if (&term == &terms.back()) {
      step.reducer.overlap_next_backward();
    }
    (step.loss.surrogate(term, totals) * step.loss_scale).backward();
    term = {};  // frees the graph before the next one's backward allocates
    step.reducer.add_micro_batch();
  }
  step.reducer.finish();
  return step.loss.value(totals);
}

}  // namespace hepar
