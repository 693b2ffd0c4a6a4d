#include "normalize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace hepar::detail {
namespace {

constexpr double kSmallest = 1e-8;  // nnU-Net's floor for what it divides by

// Sum of term(i) over [0, n) in eight fixed lanes: vectorisable, and the same on every machine.
template <class Term>
double sum(std::size_t n, Term&& term) {
  std::array<double, 8> lanes{};
  std::size_t i = 0;
  for (; i + lanes.size() <= n; i += lanes.size()) {
    for (std::size_t b = 0; b < lanes.size(); ++b) {
      lanes[b] += term(i + b);
    }
  }
  for (; i < n; ++i) {
    lanes[0] += term(i);
  }
  return std::accumulate(lanes.begin(), lanes.end(), 0.0);
}

struct Affine {
  double subtract, divide;
};

void apply(std::span<float> values, Affine by) {
  const auto subtract = static_cast<float>(by.subtract);
  const auto divide = static_cast<float>(by.divide);
  for (float& v : values) {
    v = (v - subtract) / divide;
  }
}

void z_score(std::span<float> values) {
  const auto n = static_cast<double>(values.size());
  const double mean =
      sum(values.size(), [&](std::size_t i) { return static_cast<double>(values[i]); }) / n;
  const double squares = sum(values.size(), [&](std::size_t i) {
    const double d = static_cast<double>(values[i]) - mean;
    return d * d;
  });
  apply(values, {mean, std::max(std::sqrt(squares / n), kSmallest)});
}

void z_score_masked(std::span<float> values, std::span<const std::uint8_t> inside) {
  const double n =
      sum(values.size(), [&](std::size_t i) { return static_cast<double>(inside[i]); });
  if (n == 0) {
    return;
  }
  const double mean =
      sum(values.size(),
          [&](std::size_t i) { return inside[i] != 0 ? static_cast<double>(values[i]) : 0.0; }) /
      n;
  const double squares = sum(values.size(), [&](std::size_t i) {
    const double d = static_cast<double>(values[i]) - mean;
    return inside[i] != 0 ? d * d : 0.0;
  });
  const auto subtract = static_cast<float>(mean);
  const auto divide = static_cast<float>(std::max(std::sqrt(squares / n), kSmallest));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = inside[i] != 0 ? (values[i] - subtract) / divide : values[i];
  }
}

void ct(std::span<float> values, const Normalization& rule) {
  const auto low = static_cast<float>(rule.percentile_00_5);
  const auto high = static_cast<float>(rule.percentile_99_5);
  for (float& v : values) {
    v = std::min(std::max(v, low), high);
  }
  apply(values, {rule.mean, std::max(rule.std, kSmallest)});
}

void rescale(std::span<float> values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double least = static_cast<double>(*low);
  apply(values, {least, std::max(static_cast<double>(*high) - least, kSmallest)});
}

}  // namespace

void normalize(std::span<float> values, const Normalization& rule,
               std::span<const std::uint8_t> inside) {
  switch (rule.kind) {
    case NormalizationKind::kZScore:
      z_score(values);
      break;
    case NormalizationKind::kZScoreMasked:
      z_score_masked(values, inside);
      break;
    case NormalizationKind::kCt:
      ct(values, rule);
      break;
    case NormalizationKind::kRescale01:
      rescale(values);
      break;
    case NormalizationKind::kNone:
      break;
  }
}

}  // namespace hepar::detail
