#pragma once
#include <hepar/core/geometry.h>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

/// Edge lengths in voxels that need not be whole: the median of an even number of sizes can end in
/// .5.
using MeanSizeVox = Vec3<struct MeanSizeTag, double>;

/// Where a U-Net halves its feature maps and how large its kernels are.
struct Topology {
  std::vector<std::array<std::int64_t, 3>> strides;  ///< one a stage, the first is 1,1,1
  std::vector<std::array<std::int64_t, 3>> kernels;  ///< one a stage, the last is 3,3,3
  SizeVox patch_size;                                ///< `size`, each edge padded up to `divisor`
  SizeVox divisor;                                   ///< 2^(halvings of that axis)
};

/// nnU-Net v2's topology for a patch of `size` voxels of `spacing` (network_topology.py;
/// segmentation.md §1.6): axes are halved while they keep 4 voxels and are within a factor 2 of the
/// finest one; a kernel edge grows from 1 to 3 once its axis is within that factor.
Topology pool_and_conv_props(SpacingMm spacing, MeanSizeVox size);

/// What decides how many activations a U-Net keeps.
struct NetworkOutline {
  std::string architecture = "plain";  ///< plain | resenc
  SizeVox patch_size;
  std::vector<std::array<std::int64_t, 3>> strides;
  std::vector<std::int64_t> features;
  std::vector<std::int64_t> blocks_per_stage;
  std::vector<std::int64_t> convs_per_decoder_level;
  std::int64_t classes = 2;  ///< with the background
};

/// nnU-Net's stand-in for GPU memory: the number of outputs of all convolutions for one sample, no
/// deep supervision (segmentation.md §1.7). Throws ConfigError for an unknown architecture.
std::int64_t activation_count(const NetworkOutline& network);

}  // namespace hepar
