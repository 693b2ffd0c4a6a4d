#include "weight_gradient.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <vector>

#include "weight_gradient_kernels.h"

namespace hepar::nn {
namespace {

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast3d;

// A block of the output's rows is what all tiles of a tap read before the next: as much as a
// first-level cache holds, and no fewer voxels than make up for loading and storing the tile.
constexpr std::int64_t kBlockBytes = 24576;
constexpr std::int64_t kLeastVoxels = 192;

constexpr std::int64_t kCopied = 64;  // channels from which a map is copied first

using Extent = std::array<std::int64_t, 3>;  // z, y, x

struct Map {
  Extent size;
  std::int64_t channels;

  explicit Map(const at::Tensor& x) : size{x.size(2), x.size(3), x.size(4)}, channels(x.size(1)) {}
  [[nodiscard]] std::int64_t voxel(std::int64_t sample, std::int64_t z, std::int64_t y,
                                   std::int64_t x) const {
    return ((sample * size[0] + z) * size[1] + y) * size[2] + x;
  }
};

/// A map's values in the order that tiles read them: tile_step from one tile's channels to the
/// next's, voxel_step from voxel to voxel.
struct Operand {
  at::Tensor values;
  const float* data;
  std::int64_t tile_step, voxel_step;
};

/// Channels that many lie apart in memory by a multiple of a power of two, and of a tile's few a
/// cache keeps too few voxels. Then the map is copied: [tile][voxel][width], zeros at the end.
Operand operand_of(const at::Tensor& x, std::int64_t width, bool copies) {
  const std::int64_t channels = x.size(1), voxels = x.numel() / channels;
  if (!copies) {
    return {x, x.const_data_ptr<float>(), width, channels};
  }
  const std::int64_t tiles = (channels + width - 1) / width;
  at::Tensor copy = at::empty({tiles, voxels, width}, at::TensorOptions(at::kFloat));
  const float* from = x.const_data_ptr<float>();
  float* to = copy.mutable_data_ptr<float>();
  at::parallel_for(0, tiles, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t tile = begin; tile < end; ++tile) {
      const std::int64_t first = tile * width, there = std::min(width, channels - first);
      for (std::int64_t voxel = 0; voxel < voxels; ++voxel) {
        float* out = to + (tile * voxels + voxel) * width;
        std::copy_n(from + voxel * channels + first, there, out);
        std::fill(out + there, out + width, 0.0F);
      }
    }
  });
  return {copy, copy.const_data_ptr<float>(), voxels * width, width};
}

/// First and past the last output index along an axis whose input index lies inside the image.
struct Valid {
  std::int64_t begin, end;
};

class Summing {
 public:
  Summing(const at::Tensor& x, const at::Tensor& gradient, at::IntArrayRef weight_sizes,
          const ConvolutionGeometry& geometry)
      : samples_(x.size(0)),
        in_(x),
        out_(gradient),
        kernel_{weight_sizes[2], weight_sizes[3], weight_sizes[4]},
        geometry_(geometry),
        in_is_vector_(in_.channels % kLanes == 0 &&
                      (in_.channels >= kVector || out_.channels % kVector != 0)) {
    vector_ = operand_of(in_is_vector_ ? x : gradient, kVector, vector_channels() >= kCopied);
    scalar_ = operand_of(in_is_vector_ ? gradient : x, kRows, scalar_channels() >= kCopied);
    const std::int64_t stride = geometry_.stride[2];
    maps_ = {vector_.data, scalar_.data, vector_.voxel_step * (in_is_vector_ ? stride : 1),
             scalar_.voxel_step * (in_is_vector_ ? 1 : stride)};
  }

  at::Tensor run() {
    tiles_.assign(static_cast<std::size_t>(items() * kRows * kVector), 0.0F);
    at::parallel_for(0, items(), 1, [this](std::int64_t begin, std::int64_t end) {
      const std::int64_t rows = block_rows();
      for (std::int64_t row = 0; row < all_rows(); row += rows) {
        add_block({row, std::min(row + rows, all_rows())}, {begin, end});
      }
    });
    return unpacked();
  }

 private:
  struct Range {
    std::int64_t begin, end;
  };

  [[nodiscard]] std::int64_t taps() const { return kernel_[0] * kernel_[1] * kernel_[2]; }
  [[nodiscard]] std::int64_t vector_channels() const {
    return in_is_vector_ ? in_.channels : out_.channels;
  }
  [[nodiscard]] std::int64_t scalar_channels() const {
    return in_is_vector_ ? out_.channels : in_.channels;
  }
  [[nodiscard]] std::int64_t vector_tiles() const {
    return (vector_channels() + kVector - 1) / kVector;
  }
  [[nodiscard]] std::int64_t scalar_tiles() const {
    return (scalar_channels() + kRows - 1) / kRows;
  }
  /// Tiles of all taps: (tap, vector tile, scalar tile).
  [[nodiscard]] std::int64_t items() const { return taps() * vector_tiles() * scalar_tiles(); }
  struct Place {
    std::int64_t tap, vector, scalar;  ///< the latter count tiles
  };
  [[nodiscard]] Place place_of(std::int64_t item) const {
    const std::int64_t above = item / scalar_tiles();
    return {above / vector_tiles(), above % vector_tiles(), item % scalar_tiles()};
  }
  [[nodiscard]] float* tile(std::int64_t item) { return tiles_.data() + item * kRows * kVector; }

  /// Rows of the output, of all samples.
  [[nodiscard]] std::int64_t all_rows() const { return samples_ * out_.size[0] * out_.size[1]; }
  [[nodiscard]] std::int64_t block_rows() const {
    const std::int64_t voxels = std::max<std::int64_t>(1, out_.size[2]);
    const auto bytes = static_cast<std::int64_t>(sizeof(float)) * voxels *
                       (in_.channels * geometry_.stride[2] + out_.channels);
    return std::max({std::int64_t{1}, kBlockBytes / bytes, (kLeastVoxels + voxels - 1) / voxels});
  }

  /// Input index of an output index, along an axis and for a tap of it.
  [[nodiscard]] std::int64_t input(int axis, std::int64_t output, std::int64_t tap) const {
    const auto a = static_cast<std::size_t>(axis);
    return output * geometry_.stride[a] + tap * geometry_.dilation[a] - geometry_.padding[a];
  }
  [[nodiscard]] bool inside(int axis, std::int64_t index) const {
    return index >= 0 && index < in_.size[static_cast<std::size_t>(axis)];
  }
  [[nodiscard]] Valid valid_x(std::int64_t tap) const {
    Valid valid{0, out_.size[2]};
    while (valid.begin < valid.end && !inside(2, input(2, valid.begin, tap))) {
      ++valid.begin;
    }
    while (valid.begin < valid.end && !inside(2, input(2, valid.end - 1, tap))) {
      --valid.end;
    }
    return valid;
  }

  void runs_of(std::int64_t tap, const Range& rows, std::vector<Run>& runs) const {
    const std::int64_t kx = tap % kernel_[2], ky = tap / kernel_[2] % kernel_[1],
                       kz = tap / kernel_[2] / kernel_[1];
    const Valid valid = valid_x(kx);
    runs.clear();
    for (std::int64_t row = rows.begin; row < rows.end && valid.begin < valid.end; ++row) {
      const std::int64_t y = row % out_.size[1], z = row / out_.size[1] % out_.size[0],
                         sample = row / out_.size[1] / out_.size[0];
      const std::int64_t iz = input(0, z, kz), iy = input(1, y, ky);
      if (inside(0, iz) && inside(1, iy)) {
        const std::int64_t in = in_.voxel(sample, iz, iy, input(2, valid.begin, kx));
        const std::int64_t out = out_.voxel(sample, z, y, valid.begin);
        runs.push_back({(in_is_vector_ ? in : out) * vector_.voxel_step,
                        (in_is_vector_ ? out : in) * scalar_.voxel_step, valid.end - valid.begin});
      }
    }
  }

  /// What some rows give to some tiles.
  void add_block(const Range& rows, const Range& items) {
    std::vector<Run> runs;
    std::int64_t tap = -1;
    for (std::int64_t item = items.begin; item < items.end; ++item) {
      const Place place = place_of(item);
      if (place.tap != tap) {
        tap = place.tap;
        runs_of(tap, rows, runs);
      }
      RunMaps maps = maps_;
      maps.vector += place.vector * vector_.tile_step;
      maps.scalar += place.scalar * scalar_.tile_step;
      const std::int64_t height = std::min(kRows, scalar_channels() - place.scalar * kRows);
      const std::int64_t width = std::min(kVector, vector_channels() - place.vector * kVector);
      add_products(maps, runs, static_cast<int>(height), static_cast<int>(width), tile(item));
    }
  }

  /// [out, in, kz, ky, kx] from the tiles.
  at::Tensor unpacked() {
    at::Tensor result = at::empty({out_.channels, in_.channels, kernel_[0], kernel_[1], kernel_[2]},
                                  at::TensorOptions(at::kFloat));
    float* to = result.mutable_data_ptr<float>();
    const std::int64_t places = vector_tiles() * scalar_tiles();
    at::parallel_for(0, places, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t first = begin; first < end; ++first) {
        unpack(first, places, to);
      }
    });
    return result;
  }

  /// All taps of a tile's place, the first of which is `first`: together they fit into a
  /// first-level cache, and where they go they lie in a row.
  void unpack(std::int64_t first, std::int64_t places, float* to) {
    const Place place = place_of(first);
    const std::int64_t vector = place.vector * kVector, scalar = place.scalar * kRows;
    for (std::int64_t s = scalar; s < std::min(scalar + kRows, scalar_channels()); ++s) {
      for (std::int64_t v = vector; v < std::min(vector + kVector, vector_channels()); ++v) {
        const std::int64_t o = in_is_vector_ ? s : v, i = in_is_vector_ ? v : s;
        const float* from = tile(first) + (s - scalar) * kVector + v - vector;
        for (std::int64_t tap = 0; tap < taps(); ++tap) {
          to[(o * in_.channels + i) * taps() + tap] = from[tap * places * kRows * kVector];
        }
      }
    }
  }

  std::int64_t samples_;
  Map in_, out_;
  Extent kernel_;
  const ConvolutionGeometry& geometry_;
  bool in_is_vector_;
  Operand vector_, scalar_;
  RunMaps maps_{};
  std::vector<float> tiles_;
};

bool is_dense_float(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.dim() == 5 &&
         x.is_contiguous(kChannelsLast);
}

}  // namespace

bool can_sum_weight_gradient(const at::Tensor& x, const at::Tensor& gradient) {
  return is_dense_float(x) && is_dense_float(gradient) &&
         (x.size(1) % kLanes == 0 || gradient.size(1) % kLanes == 0);
}

at::Tensor weight_gradient(const at::Tensor& x, const at::Tensor& gradient,
                           at::IntArrayRef weight_sizes, const ConvolutionGeometry& geometry) {
  return Summing(x, gradient, weight_sizes, geometry).run();
}

}  // namespace hepar::nn
