#pragma once
#include <cstdint>

namespace hepar::nn {

// The inner loops of fused_norm.cpp: `voxels` voxels of `channels` values each, channels fastest.
// Pointers to coefficients and sums are to one value a channel.

struct Block {
  std::int64_t voxels, channels;
};

/// z = x · scale + shift, then LeakyReLU of `slope`.
struct Activation {
  const float* scale;
  const float* shift;
  float slope;
};

struct BlockSums {
  double* first;
  double* second;
};

/// Σ x and Σ x².
void sum_moments(const float* x, const Block& block, const BlockSums& sums);

/// y = LeakyReLU(z).
void activate(const float* x, float* y, const Block& block, const Activation& how);

/// Inputs of backward: x, and the gradient of the output.
struct BackwardBlock {
  const float* x;
  const float* gradient;
};

/// With g the gradient of z: Σ g and Σ g · (x · scale + shift), the latter map normalising x.
struct Normalisation {
  const float* scale;
  const float* shift;
};
void sum_gradients(const BackwardBlock& in, const Block& block, const Activation& how,
                   const Normalisation& normal, const BlockSums& sums);

/// dx = g · by_gradient + x · by_value + constant.
struct InputGradient {
  const float* by_gradient;
  const float* by_value;
  const float* constant;
};
void input_gradient(const BackwardBlock& in, const Block& block, const Activation& how,
                    const InputGradient& k, float* dx);

}  // namespace hepar::nn
