#include "texture_filters.h"

#include <ATen/Functions.h>

#include <cmath>
#include <numbers>

namespace hepar::nn {
namespace {

/// Widths of the Gaussians, in voxels; the first is a single voxel. Bands lie between neighbours: a
/// kernel of seven voxels holds no wider one.
constexpr std::array<double, 7> kWidths{0, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2};

/// Fine and coarse band of a pair of filters.
constexpr std::array<std::array<std::size_t, 2>, kTexturePairs> kBandPairs{
    {{0, 3}, {1, 4}, {2, 5}, {0, 5}}};

constexpr double kWaves = 0.3;           // in a voxel: fine, and still three voxels long
constexpr double kWaveWidth = 2;         // in voxels: as wide as seven hold
constexpr std::size_t kBesideWaves = 1;  // the band that sees as fine a texture

/// A function of (z, y, x) from the centre of a cube of `side` voxels.
template <class Function>
at::Tensor on_cube(std::int64_t side, Function&& value) {
  at::Tensor cube = at::empty({side, side, side}, at::TensorOptions().dtype(at::kDouble));
  auto values = cube.accessor<double, 3>();
  for (std::int64_t z = 0; z < side; ++z) {
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        values[z][y][x] = value(z - side / 2, y - side / 2, x - side / 2);
      }
    }
  }
  return cube;
}

/// A Gaussian of `width` voxels, its sum 1.
at::Tensor gaussian(double width, std::int64_t side) {
  const at::Tensor bell = on_cube(side, [width](std::int64_t z, std::int64_t y, std::int64_t x) {
    const auto squared = static_cast<double>(z * z + y * y + x * x);
    return width > 0 ? std::exp(-squared / (2 * width * width)) : (squared == 0 ? 1.0 : 0.0);
  });
  return bell / bell.sum();
}

at::Tensor of_length_one(const at::Tensor& filter) {
  return (filter / filter.square().sum().sqrt()).to(at::kFloat);
}

at::Tensor band_filter(std::size_t band, std::int64_t side) {
  return of_length_one(gaussian(kWidths[band], side) - gaussian(kWidths[band + 1], side));
}

/// A Gabor filter; what its waves leave of a constant is taken off.
at::Tensor wave_filter(double angle, std::int64_t side) {
  const at::Tensor bell = gaussian(kWaveWidth, side);
  const at::Tensor waves = on_cube(side, [angle](std::int64_t, std::int64_t y, std::int64_t x) {
    const double along =
        static_cast<double>(y) * std::sin(angle) + static_cast<double>(x) * std::cos(angle);
    return std::cos(2 * std::numbers::pi * kWaves * along);
  });
  return of_length_one(bell * (waves - (bell * waves).sum()));
}

}  // namespace

std::array<at::Tensor, 2> isotropic_pair(std::int64_t which, std::int64_t side) {
  const auto& bands = kBandPairs.at(static_cast<std::size_t>(which));
  return {band_filter(bands[0], side), band_filter(bands[1], side)};
}

std::array<at::Tensor, 2> oriented_pair(std::int64_t which, std::int64_t side) {
  const double angle =
      std::numbers::pi * static_cast<double>(which) / static_cast<double>(kTexturePairs);
  return {wave_filter(angle, side), band_filter(kBesideWaves, side)};
}

}  // namespace hepar::nn
