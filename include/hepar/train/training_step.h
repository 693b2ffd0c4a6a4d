#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/data/patch_loader.h>
#include <hepar/dist/gradient_reducer.h>
#include <hepar/nn/segmentation_loss.h>
#include <hepar/nn/unet.h>
#include <vector>

namespace hepar {

/// What one training step works with; references stay valid for the call.
struct TrainingStep {
  SegmentationNetwork& network;
  const SegmentationLoss& loss;
  GradientReducer& reducer;
  Communicator& communicator;
  ReducerOptions reduction;
  double loss_scale = 1;
  at::Device device = at::kCPU;  ///< the network's
};

/// Leaves loss_scale times the gradient of the global batch in every parameter's .grad() on every
/// rank and returns the global loss. `batches`: this rank's micro-batches in slot order, on the
/// CPU. Each one's graph is gone before the next is made, but for batch Dice: its gradient wants
/// sums over the global batch. Collective.
SegmentationLoss::Value backward_global_batch(const TrainingStep& step,
                                              const std::vector<SegmentationBatch>& batches);

}  // namespace hepar
