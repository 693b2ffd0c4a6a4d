#include "weight_gradient_kernels.h"

#include <cstring>

namespace hepar::nn {
namespace {

// A compiler that unrolls loops over an array of vectors keeps it in registers; the same over
// arrays of floats it does not.
using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));

Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

void store(const Lanes& lanes, float* to) { std::memcpy(to, &lanes, sizeof(lanes)); }

template <int Rows, int Vectors>
void add_tile(const RunMaps& maps, std::span<const Run> runs, float* tile) {
  Lanes sum[Rows][Vectors] = {};  // of these runs alone: added to the whole it loses fewer digits
  for (const Run& run : runs) {
    const float* vector = maps.vector + run.vector;
    const float* scalar = maps.scalar + run.scalar;
    for (std::int64_t voxel = 0; voxel < run.voxels; ++voxel) {
      Lanes value[Vectors];
      for (int v = 0; v < Vectors; ++v) {
        value[v] = load(vector + v * kLanes);
      }
      for (int r = 0; r < Rows; ++r) {
        for (int v = 0; v < Vectors; ++v) {
          sum[r][v] += scalar[r] * value[v];
        }
      }
      vector += maps.vector_step;
      scalar += maps.scalar_step;
    }
  }
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < Vectors; ++v) {
      float* whole = tile + r * kVector + v * kLanes;
      store(load(whole) + sum[r][v], whole);
    }
  }
}

template <int Vectors>
void add_rows(const RunMaps& maps, std::span<const Run> runs, int rows, float* tile) {
  switch (rows) {
    case 1:
      return add_tile<1, Vectors>(maps, runs, tile);
    case 2:
      return add_tile<2, Vectors>(maps, runs, tile);
    case 3:
      return add_tile<3, Vectors>(maps, runs, tile);
    case 4:
      return add_tile<4, Vectors>(maps, runs, tile);
    case 5:
      return add_tile<5, Vectors>(maps, runs, tile);
    default:
      return add_tile<6, Vectors>(maps, runs, tile);
  }
}

}  // namespace

void add_products(const RunMaps& maps, std::span<const Run> runs, int rows, int width,
                  float* tile) {
  width == kVector ? add_rows<2>(maps, runs, rows, tile) : add_rows<1>(maps, runs, rows, tile);
}

}  // namespace hepar::nn
