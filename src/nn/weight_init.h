#pragma once
#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hepar::nn {

/// A layer of these options whose weights and bias are memory and nothing more: Torch's
/// constructors draw 16 million in 0.12 s, and what is below draws them again.
torch::nn::Conv3d undrawn(const torch::nn::Conv3dOptions& options);
torch::nn::ConvTranspose3d undrawn(const torch::nn::ConvTranspose3dOptions& options);

/// Kaiming normal (a = 0.01, fan in) on every convolution weight, biases 0, norm scales 1 and, in
/// residual blocks, the scale of the last norm 0. Parameter i is drawn from the stream (seed,
/// kInitialWeights, 0, i), so the bits depend on nothing else. Source: nnU-Net's InitWeights_He.
void draw_initial_weights(torch::nn::Module& network, std::uint64_t seed);

/// Kaiming normal (ReLU, fan out) on every convolution weight, normal of 0.01 on linear weights
/// [out, in], norm scales 1, biases 0; addressed likewise, counting from `first`. Source: the
/// challenge winner's network.
void draw_residual_weights(torch::nn::Module& network, std::uint64_t seed, std::uint32_t first = 0);

/// A residual network's start texture, over weights drawn before. The filters of the stem
/// ("conv1.weight" [out, in, 7, 7, 7]) become those of texture_filters.h, each seeing one of the
/// first `images` input channels: pairs, so that a norm over two channels keeps their ratio, which
/// is what texture is read from. The last image, the one cut to the liver where there is one, gets
/// the isotropic pairs first and the oriented ones while there are channels, the images before it
/// the other way round: an artefact has a direction, parenchyma has none. Further filters stay as
/// drawn. The scale of each block's last norm becomes 0 (Goyal et al., 2017): a block begins as its
/// shortcut, and that hands its channels on; `strided_blocks` (prefixes of parameter names,
/// "layer1.0.") begin as a smoothing instead. Throws ConfigError where such a block's shortcut has
/// no weights.
void set_texture_weights(torch::nn::Module& network, std::int64_t images,
                         const std::vector<std::string>& strided_blocks);

}  // namespace hepar::nn
