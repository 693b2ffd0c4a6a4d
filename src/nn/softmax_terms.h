#pragma once
#include <ATen/core/Tensor.h>

namespace hepar::nn {

/// What Dice and cross-entropy of a softmax are made of, of each sample; double.
struct SoftmaxTerms {
  at::Tensor nll;         ///< [n, classes]: Σ -log p over the voxels of a class
  at::Tensor voxels;      ///< [n, classes]: their number; without gradient
  at::Tensor overlap;     ///< [n, classes]: Σ p over the voxels of a class
  at::Tensor prediction;  ///< [n, classes]: Σ p over all voxels that count
};

/// logits [n, classes, z, y, x], labels [n, z, y, x] int64; voxels whose label is no class count
/// nothing. In float on a CPU, and in float, half or bfloat16 and up to 32 classes on a GPU of a
/// build with CUDA, one pass over the logits forward and one backward, and only they are kept; the
/// bits do not depend on the number of threads and are the same in every run.
SoftmaxTerms softmax_terms(const at::Tensor& logits, const at::Tensor& labels);

/// The same by ATen's operators, on any device, in float at least.
SoftmaxTerms softmax_terms_plain(const at::Tensor& logits, const at::Tensor& labels);

}  // namespace hepar::nn
