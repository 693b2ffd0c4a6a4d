#pragma once
#include <cstdint>

namespace hepar::nn {

// The inner loops of softmax_terms.cpp.

/// Logits of `voxels` voxels, value (v, c) at v · voxel_stride + c · class_stride, and their
/// labels.
struct SoftmaxBlock {
  const float* logits;
  const std::int64_t* labels;
  std::int64_t voxels, classes;
  std::int64_t voxel_stride, class_stride;
};

/// Four sums a class, over the voxels whose label is a class; [classes] each.
struct SoftmaxSums {
  double* nll;         ///< of the voxels of this class: Σ -log p
  double* voxels;      ///< of this class: their number
  double* overlap;     ///< of this class: Σ p
  double* prediction;  ///< of any class: Σ p
};

/// Adds the block's to `sums`.
void add_softmax_terms(const SoftmaxBlock& block, const SoftmaxSums& sums);

/// Gradients of the first, third and fourth sum; [classes] each.
struct SoftmaxGradients {
  const float* nll;
  const float* overlap;
  const float* prediction;
};

/// Writes the gradient by the logits, strides as theirs.
void softmax_terms_gradient(const SoftmaxBlock& block, const SoftmaxGradients& by, float* gradient);

}  // namespace hepar::nn
