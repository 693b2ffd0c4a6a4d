#pragma once
#include <ATen/core/Tensor.h>

#include <string>

namespace hepar {

/// Class activation maps of a network that ends in an average over voxels and a linear layer:
/// z_c(v) = Σ_k weight[c, k] · F_k(v), so that logit_c = mean_v z_c(v) + bias_c. Features
/// [N, K, d, h, w], weight [W, K] -> [N, W, d, h, w], in float at least, also under autocast.
/// Gradient flows to both. Source: Zhou et al., CVPR 2016; for such networks Grad-CAM and HiResCAM
/// are the same map up to 1/(d·h·w) (staging.md §1b).
at::Tensor class_activation_maps(const at::Tensor& features, const at::Tensor& weight);

/// A mask [N, 1, z, y, x] in [0, 1] at the grid of the maps (d, h, w): float [N, 1, d, h, w].
/// "soft": the share of the mask in each cell; "threshold": cells at least half inside; "nearest":
/// the voxel at each cell's low corner.
at::Tensor mask_on_grid(const at::Tensor& mask, at::IntArrayRef grid, const std::string& how);

/// Where evidence lies, against where it would lie by chance.
struct InsideShare {
  at::Tensor evidence;  ///< [N, M]: Σ A·mask / Σ A of each map; NaN for a map without evidence
  at::Tensor mask;      ///< [N]: the mask's share of the box
};
/// `maps` [N, M, d, h, w] with A = max(maps, 0); `mask` on their grid.
InsideShare inside_share(const at::Tensor& maps, const at::Tensor& mask);

}  // namespace hepar
