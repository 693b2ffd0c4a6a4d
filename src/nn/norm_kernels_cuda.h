#pragma once
#include <cstdint>

#include "cuda_element.h"

namespace hepar::nn::cuda {

// The kernels of norm_on_cuda.cpp; pointers are to device memory, work is queued on a stream and no
// error is asked for.

/// x is [samples, voxels, channels], channels fastest; runs of `group_width` channels share a mean
/// and a variance.
struct NormShape {
  std::int64_t samples, channels, voxels, group_width;

  [[nodiscard]] constexpr std::int64_t values() const { return samples * channels; }
};

/// On what, of what type, and where the sums go.
struct NormLaunch {
  NormShape shape;
  Element element;
  CUstream_st* stream;
  double* sums;  ///< [norm_scratch_values(shape)]
};
std::int64_t norm_scratch_values(const NormShape& shape);

/// As NormForward::coefficients has them: four runs of [samples · channels].
struct Coefficients {
  float* scale;
  float* shift;
  float* normal_scale;
  float* normal_shift;
};

struct ForwardPass {
  const void* x;
  const float* weight;
  const float* bias;
  double epsilon;
  float slope;
  Coefficients coefficients;  ///< written
  void* y;                    ///< written
};
void norm_forward(const NormLaunch& launch, const ForwardPass& pass);

struct BackwardPass {
  const void* x;
  const void* gradient;
  float slope;
  Coefficients coefficients;
  float* by_value;  ///< [samples · channels], scratch, as is
  float* constant;
  void* dx;        ///< written
  float* dweight;  ///< [channels], written
  float* dbias;
};
void norm_backward(const NormLaunch& launch, const BackwardPass& pass);

}  // namespace hepar::nn::cuda
