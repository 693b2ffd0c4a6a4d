#pragma once
#include <cstdint>

#include "cuda_element.h"

namespace hepar::nn::cuda {

// The kernels of softmax_on_cuda.cpp; pointers are to device memory, work is queued on a stream and
// no error is asked for.

/// More would not fit a thread's registers.
constexpr std::int64_t kMostClasses = 32;

/// Logits of `samples` samples of `voxels` voxels, dense; value (v, c) of a sample at v ·
/// voxel_stride + c · class_stride. labels: [samples, voxels].
struct SoftmaxInput {
  const void* logits;
  Element element;
  const std::int64_t* labels;
  std::int64_t samples, voxels, classes;
  std::int64_t voxel_stride, class_stride;
};

std::int64_t softmax_scratch_values(const SoftmaxInput& in);

/// totals: [samples, 4, classes], the sums of softmax_kernels.h in their order. scratch:
/// [softmax_scratch_values(in)].
void softmax_terms(const SoftmaxInput& in, double* scratch, double* totals, CUstream_st* stream);

/// by: [samples, 4, classes], the gradient of totals, whose second part is not read. gradient: as
/// the logits.
void softmax_terms_gradient(const SoftmaxInput& in, const float* by, void* gradient,
                            CUstream_st* stream);

}  // namespace hepar::nn::cuda
