#pragma once
#include <torch/nn/module.h>

#include <cstdint>

namespace hepar::nn {

/// Kaiming normal (a = 0.01, fan in) on every convolution weight, biases 0, norm scales 1 and, in
/// residual blocks, the scale of the last norm 0. Parameter i is drawn from the stream (seed,
/// kInitialWeights, 0, i), so the bits depend on nothing else. Source: nnU-Net's InitWeights_He.
void draw_initial_weights(torch::nn::Module& network, std::uint64_t seed);

/// Kaiming normal (ReLU, fan out) on every convolution weight, normal of 0.01 on linear weights
/// [out, in], norm scales 1, biases 0; addressed likewise, counting from `first`. Source: the
/// challenge winner's network.
void draw_residual_weights(torch::nn::Module& network, std::uint64_t seed, std::uint32_t first = 0);

}  // namespace hepar::nn
