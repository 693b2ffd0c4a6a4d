#pragma once
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace hepar::nn {

/// Voxels of one sample.
struct Piece {
  std::int64_t sample, first, voxels;
};

/// Samples cut into pieces of so many voxels, whatever the number of threads: where sums of pieces
/// are added in order, their bits do not depend on it.
struct Pieces {
  std::int64_t samples, voxels, size;

  [[nodiscard]] std::int64_t per_sample() const { return (voxels + size - 1) / size; }
  [[nodiscard]] std::int64_t count() const { return samples * per_sample(); }
  [[nodiscard]] Piece piece(std::int64_t index) const {
    const std::int64_t first = index % per_sample() * size;
    return {index / per_sample(), first, std::min(size, voxels - first)};
  }

  /// body(index, piece), from Torch's threads.
  template <class Body>
  void for_each(const Body& body) const {
    at::parallel_for(0, count(), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        body(i, piece(i));
      }
    });
  }
};

}  // namespace hepar::nn
