#include <algorithm>
#include <cmath>
#include <vector>

#include "intensity_transforms.h"

namespace hepar {
namespace {

/// Half of a symmetric kernel: weight of the centre, of ±1, …
std::vector<float> half_kernel(double sigma) {
  // nnU-Net's length: the odd number nearest to 6·sigma + 0.5.
  const auto radius = static_cast<std::int64_t>((6 * sigma + 0.5) / 2);
  std::vector<double> weights(static_cast<std::size_t>(radius) + 1);
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double x = static_cast<double>(i) / sigma;
    weights[i] = std::exp(-0.5 * x * x);
    sum += i == 0 ? weights[i] : 2 * weights[i];
  }
  std::vector<float> half;
  for (const double weight : weights) {
    half.push_back(static_cast<float>(weight / sum));
  }
  return half;
}

/// Index mirrored at both ends without repeating them; any distance outside.
std::int64_t mirrored(std::int64_t i, std::int64_t n) {
  if (n == 1) {
    return 0;
  }
  const std::int64_t period = 2 * (n - 1);
  const std::int64_t folded = ((i % period) + period) % period;
  return folded < n ? folded : period - folded;
}

/// Lines along one axis: `lines` blocks of `n` rows of `width` contiguous values.
struct AxisView {
  std::int64_t blocks, n, width;
};

/// Blurs along an axis whose rows are contiguous: target row i = Σ weight · source row i ± k.
void blur_rows(const float* source, float* target, const AxisView& view,
               const std::vector<float>& half) {
  for (std::int64_t block = 0; block < view.blocks; ++block) {
    const float* from = source + block * view.n * view.width;
    float* to = target + block * view.n * view.width;
    for (std::int64_t i = 0; i < view.n; ++i) {
      float* __restrict out = to + i * view.width;
      const float* centre = from + i * view.width;
      for (std::int64_t x = 0; x < view.width; ++x) {
        out[x] = half[0] * centre[x];
      }
      for (std::size_t k = 1; k < half.size(); ++k) {
        const auto distance = static_cast<std::int64_t>(k);
        const float* low = from + mirrored(i - distance, view.n) * view.width;
        const float* high = from + mirrored(i + distance, view.n) * view.width;
        const float weight = half[k];
        for (std::int64_t x = 0; x < view.width; ++x) {
          out[x] += weight * (low[x] + high[x]);
        }
      }
    }
  }
}

/// Blurs along x: a row with its mirrored ends goes to a buffer, so that the inner loop has no
/// border.
void blur_along_x(float* image, std::int64_t rows, std::int64_t n, const std::vector<float>& half) {
  const auto radius = static_cast<std::int64_t>(half.size()) - 1;
  std::vector<float> padded(static_cast<std::size_t>(n + 2 * radius));
  for (std::int64_t row = 0; row < rows; ++row) {
    float* __restrict out = image + row * n;
    std::copy_n(out, n, padded.begin() + radius);
    for (std::int64_t k = 1; k <= radius; ++k) {
      padded[static_cast<std::size_t>(radius - k)] = out[mirrored(-k, n)];
      padded[static_cast<std::size_t>(radius + n - 1 + k)] = out[mirrored(n - 1 + k, n)];
    }
    const float* centre = padded.data() + radius;
    for (std::int64_t x = 0; x < n; ++x) {
      out[x] = half[0] * centre[x];
    }
    for (std::int64_t k = 1; k <= radius; ++k) {
      const float weight = half[static_cast<std::size_t>(k)];
      for (std::int64_t x = 0; x < n; ++x) {
        out[x] += weight * (centre[x - k] + centre[x + k]);
      }
    }
  }
}

/// Linear interpolation of one axis from few to many voxels, half-pixel centres, ends held; the few
/// are themselves voxels of the full axis.
struct AxisUpsampling {
  std::vector<std::int32_t> low, high;  ///< voxels of the full axis
  std::vector<float> weight;            ///< of `high`
};

AxisUpsampling axis_upsampling(std::int64_t n, double share) {
  const auto few = std::clamp<std::int64_t>(
      static_cast<std::int64_t>(std::nearbyint(static_cast<double>(n) * share)), 1, n);
  AxisUpsampling axis;
  const auto kept = [n, few](std::int64_t i) {  // nearest-exact
    return static_cast<std::int32_t>((2 * i + 1) * n / (2 * few));
  };
  for (std::int64_t i = 0; i < n; ++i) {
    const double at = std::max(
        (static_cast<double>(i) + 0.5) * static_cast<double>(few) / static_cast<double>(n) - 0.5,
        0.0);
    const auto below = static_cast<std::int64_t>(at);
    axis.low.push_back(kept(below));
    axis.high.push_back(kept(std::min(below + 1, few - 1)));
    axis.weight.push_back(static_cast<float>(at - static_cast<double>(below)));
  }
  return axis;
}

}  // namespace

void blur(std::span<float> image, SizeVox size, const std::array<double, 3>& sigma) {
  std::vector<float> other(image.size());
  blur_rows(image.data(), other.data(), {1, size.z, size.y * size.x}, half_kernel(sigma[0]));
  blur_rows(other.data(), image.data(), {size.z, size.y, size.x}, half_kernel(sigma[1]));
  blur_along_x(image.data(), size.z * size.y, size.x, half_kernel(sigma[2]));
}

void lower_resolution(std::span<float> image, SizeVox size, const std::array<double, 3>& share) {
  const AxisUpsampling z_axis = axis_upsampling(size.z, share[0]);
  const AxisUpsampling y_axis = axis_upsampling(size.y, share[1]);
  const AxisUpsampling x_axis = axis_upsampling(size.x, share[2]);
  const std::vector<float> source(image.begin(), image.end());
  std::vector<float> blended(static_cast<std::size_t>(size.x));
  const auto row = [&](std::int32_t z, std::int32_t y) {
    return source.data() + linear_index(size, {z, y, 0});
  };
  for (std::int64_t z = 0; z < size.z; ++z) {
    const auto iz = static_cast<std::size_t>(z);
    const float wz = z_axis.weight[iz];
    for (std::int64_t y = 0; y < size.y; ++y) {
      const auto iy = static_cast<std::size_t>(y);
      const float wy = y_axis.weight[iy];
      const float* a = row(z_axis.low[iz], y_axis.low[iy]);
      const float* b = row(z_axis.low[iz], y_axis.high[iy]);
      const float* c = row(z_axis.high[iz], y_axis.low[iy]);
      const float* d = row(z_axis.high[iz], y_axis.high[iy]);
      float* __restrict mixed = blended.data();
      for (std::int64_t x = 0; x < size.x; ++x) {
        const float low = a[x] + wy * (b[x] - a[x]);
        const float high = c[x] + wy * (d[x] - c[x]);
        mixed[x] = low + wz * (high - low);
      }
      float* __restrict out = image.data() + linear_index(size, {z, y, 0});
      const std::int32_t* left = x_axis.low.data();
      const std::int32_t* right = x_axis.high.data();
      const float* wx = x_axis.weight.data();
      for (std::int64_t x = 0; x < size.x; ++x) {
        out[x] = mixed[left[x]] + wx[x] * (mixed[right[x]] - mixed[left[x]]);
      }
    }
  }
}

}  // namespace hepar
