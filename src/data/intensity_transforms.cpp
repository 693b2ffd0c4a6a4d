#include "intensity_transforms.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "vector_math.h"

namespace hepar {
namespace {

constexpr float kSmallestRange = 1e-7F;  // nnU-Net's guard against a constant image

constexpr std::size_t kLanes =
    16;  // independent sums, so that they vectorise without reassociation

struct Extremes {
  float low, high;
};

Extremes extremes(std::span<const float> image) {
  std::array<float, kLanes> low, high;
  low.fill(image[0]);
  high.fill(image[0]);
  std::size_t i = 0;
  for (; i + kLanes <= image.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = image[i + lane];
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
    }
  }
  for (; i < image.size(); ++i) {
    low[0] = std::min(low[0], image[i]);
    high[0] = std::max(high[0], image[i]);
  }
  return {*std::ranges::min_element(low), *std::ranges::max_element(high)};
}

/// Σ (x − shift)^power, power 1 or 2, in double.
template <int kPower>
double shifted_sum(std::span<const float> image, double shift) {
  std::array<double, kLanes> sums{};
  const auto term = [shift](float value) {
    const double difference = static_cast<double>(value) - shift;
    return kPower == 1 ? difference : difference * difference;
  };
  std::size_t i = 0;
  for (; i + kLanes <= image.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += term(image[i + lane]);
    }
  }
  for (; i < image.size(); ++i) {
    sums[0] += term(image[i]);
  }
  double total = 0;
  for (const double sum : sums) {
    total += sum;
  }
  return total;
}

struct Moments {
  double mean, deviation;
};

Moments moments(std::span<const float> image) {
  const auto n = static_cast<double>(image.size());
  const double mean = shifted_sum<1>(image, 0) / n;
  return {mean, std::sqrt(shifted_sum<2>(image, mean) / std::max(n - 1, 1.0))};
}

}  // namespace

void scale_brightness(std::span<float> image, float factor) {
  for (float& value : image) {
    value *= factor;
  }
}

void stretch_contrast(std::span<float> image, float factor) {
  const auto mean =
      static_cast<float>(shifted_sum<1>(image, 0) / static_cast<double>(image.size()));
  const Extremes limits = extremes(image);
  for (float& value : image) {
    const float stretched = (value - mean) * factor + mean;
    const float floored = stretched < limits.low ? limits.low : stretched;
    value = floored > limits.high ? limits.high : floored;
  }
}

void apply_gamma(std::span<float> image, const GammaCurve& curve) {
  // The negative image's curve is that of the image read from its top.
  const Moments before = moments(image);
  const Extremes limits = extremes(image);
  const float range = limits.high - limits.low;
  const float inverse = 1.0F / std::max(range, kSmallestRange);
  const float origin = curve.inverted ? limits.high : limits.low;
  const float direction = curve.inverted ? -1.0F : 1.0F;
  for (float& value : image) {
    const float share = std::min((value - origin) * direction * inverse, 1.0F);
    value = vector_pow(share, curve.gamma) * range * direction + origin;
  }
  const Moments after = moments(image);
  const auto factor = static_cast<float>(
      before.deviation / std::max(after.deviation, static_cast<double>(kSmallestRange)));
  const auto mean_before = static_cast<float>(before.mean);
  const auto mean_after = static_cast<float>(after.mean);
  for (float& value : image) {
    value = (value - mean_after) * factor + mean_before;
  }
}

}  // namespace hepar
