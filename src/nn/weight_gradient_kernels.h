#pragma once
#include <cstdint>
#include <span>

namespace hepar::nn {

// The inner loops of weight_gradient.cpp. Of two maps with the channels fastest, one is read a
// vector at a time, the other a value at a time.

constexpr std::int64_t kLanes = 8;            ///< values of a vector register
constexpr std::int64_t kVector = 2 * kLanes;  ///< channels of a tile along the first map
constexpr std::int64_t kRows = 6;             ///< and at most along the second

/// Voxels that lie in a row in both maps: indices of the first voxel's first channel.
struct Run {
  std::int64_t vector, scalar, voxels;
};

/// The maps, and how many values lie between neighbours of a run.
struct RunMaps {
  const float* vector;
  const float* scalar;
  std::int64_t vector_step, scalar_step;
};

/// tile[r][c] += Σ scalar[r] · vector[c] over all voxels of `runs`, for r in [0, rows) and c in
/// [0, width): width kLanes or kVector, rows of the tile kVector apart.
void add_products(const RunMaps& maps, std::span<const Run> runs, int rows, int width, float* tile);

}  // namespace hepar::nn
