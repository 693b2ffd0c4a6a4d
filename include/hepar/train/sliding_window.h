#pragma once
#include <ATen/core/Tensor.h>

#include <hepar/comm/communicator.h>
#include <hepar/core/geometry.h>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace hepar {

struct SlidingWindowOptions {
  SizeVox patch;
  double step = 0.5;                      ///< of the patch
  std::vector<std::int64_t> mirror_axes;  ///< logits are averaged over all flips of these axes
  std::int64_t tile_batch = 1;
  /// Its ranks share the tiles: groups of tile_batch go round, rank 0 adds them up in the order of
  /// one rank alone. nullptr: this rank does all.
  Communicator* sharing = nullptr;
};

/// Tile starts along one axis: n = ceil((size − patch)/(patch·step)) + 1, evenly spread and rounded
/// (size 110, patch 64 -> 0, 23, 46).
std::vector<std::int64_t> tile_starts(std::int64_t size, std::int64_t patch, double step);

/// nnU-Net's Gaussian importance map [z, y, x]: unit impulse at P/2 smoothed with σ = P/8, maximum
/// 10, zeros replaced by the smallest positive value.
std::vector<float> gaussian_importance(SizeVox patch);

/// [n, C, z, y, x] -> logits [n, classes, z, y, x] of n tiles.
using TileModel = std::function<at::Tensor(const at::Tensor&)>;

/// Logits [classes, z, y, x] float32 of a whole image [C, z, y, x] (segmentation.md §1.11):
/// zero-padded to the patch, Gaussian-weighted tiles, mirrored. With options.sharing collective,
/// and undefined on ranks other than 0.
at::Tensor sliding_window(const at::Tensor& image, std::int64_t classes, const TileModel& model,
                          const SlidingWindowOptions& options);

}  // namespace hepar
