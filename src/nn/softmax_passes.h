#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace hepar::nn {

// The two halves of softmax_terms() for each kind of device. logits: [n, classes, z, y, x], dense
// in either order; labels: [n, z, y, x] int64, dense.

constexpr std::int64_t kSoftmaxSums = 4;  ///< as SoftmaxTerms has them

/// [n, kSoftmaxSums, classes] double. float.
at::Tensor softmax_sums_cpu(const at::Tensor& logits, const at::Tensor& labels);
/// Like the logits; `by`: the gradient of the sums.
at::Tensor softmax_gradient_cpu(const at::Tensor& logits, const at::Tensor& labels,
                                const at::Tensor& by);

/// float, half or bfloat16, up to cuda::kMostClasses; sums are added in an order that depends on
/// the shape only.
at::Tensor softmax_sums_cuda(const at::Tensor& logits, const at::Tensor& labels);
at::Tensor softmax_gradient_cuda(const at::Tensor& logits, const at::Tensor& labels,
                                 const at::Tensor& by);

}  // namespace hepar::nn
