#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "hepar/core/geometry.h"

namespace hepar {

// One channel at a time, in place, on [z, y, x] floats. What is drawn is drawn by the caller.

/// Adds normal noise of standard deviation `std`; value i is a function of (key, i): Philox and
/// Box–Muller.
void add_noise(std::span<float> image, float std, std::uint64_t key);

/// Multiplies by `factor`.
void scale_brightness(std::span<float> image, float factor);

/// Stretches about the mean by `factor`, clipped to the old smallest and largest value.
void stretch_contrast(std::span<float> image, float factor);

/// ((x − min) / range)^gamma · range + min, then the old mean and standard deviation; of the
/// negative image when `inverted`.
struct GammaCurve {
  float gamma = 1;
  bool inverted = false;
};
void apply_gamma(std::span<float> image, const GammaCurve& curve);

/// Separable Gaussian with a sigma in voxels for each axis, kernels of nnU-Net's length (3 to 7
/// voxels for sigma 0.5 to 1), mirrored at the border without repeating it.
void blur(std::span<float> image, SizeVox size, const std::array<double, 3>& sigma);

/// Keeps round(n · share) voxels an axis (nearest-exact) and interpolates back (trilinear,
/// half-pixel centres).
void lower_resolution(std::span<float> image, SizeVox size, const std::array<double, 3>& share);

}  // namespace hepar
