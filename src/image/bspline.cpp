#include "bspline.h"

#include <hepar/core/parallel.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace hepar::detail {
namespace {

// Lines filtered side by side. The recursions run along a line and cannot be vectorised; across
// lines every operation is one vector instruction, and a block of 500 samples (128 KB) stays in the
// second-level cache.
constexpr std::int64_t kLanes = 64;

constexpr double kPole = -0.26794919243112270647;  // sqrt(3) − 2, the pole of the cubic B-spline
constexpr double kGain = 6;                        // (1 − pole)(1 − 1/pole)

using Lanes = std::array<float, kLanes>;

/// The samples (later: spline coefficients) of kLanes lines, `kAxisPad` extra at either end.
class Block {
 public:
  explicit Block(std::int64_t length) : rows_(static_cast<std::size_t>(length + 2 * kAxisPad)) {}
  Lanes& operator[](std::int64_t i) { return rows_[static_cast<std::size_t>(i + kAxisPad)]; }
  const Lanes& operator[](std::int64_t i) const {
    return rows_[static_cast<std::size_t>(i + kAxisPad)];
  }

 private:
  std::vector<Lanes> rows_;
};

void replicate_edges(Block& block, std::int64_t length) {
  for (std::int64_t pad = 1; pad <= kAxisPad; ++pad) {
    block[-pad] = block[0];
    block[length - 1 + pad] = block[length - 1];
  }
}

// Samples -> coefficients / kGain, in place, for a signal whose edge values go on for ever: left of
// the line the causal filter has settled at first/(1 − z); right of it the sums over the constant
// tail are geometric.
void to_spline_coefficients(Block& block, std::int64_t length) {
  constexpr auto z = static_cast<float>(kPole);
  constexpr auto settle = static_cast<float>(1 / (1 - kPole));
  constexpr auto tail = static_cast<float>(1 / (1 - kPole * kPole));
  Lanes left;
  Lanes right;
  for (std::int64_t b = 0; b < kLanes; ++b) {
    left[b] = block[0][b] * settle;
    right[b] = block[length - 1][b] * settle;
    block[0][b] = left[b];
  }
  for (std::int64_t i = 1; i < length; ++i) {
    const Lanes& before = block[i - 1];
    Lanes& here = block[i];
    for (std::int64_t b = 0; b < kLanes; ++b) {
      here[b] += z * before[b];
    }
  }
  Lanes& last = block[length - 1];
  for (std::int64_t b = 0; b < kLanes; ++b) {
    const float excess = (last[b] - right[b]) * tail;
    block[length + 1][b] = -z * (right[b] * settle + z * z * excess);
    block[length][b] = -z * (right[b] * settle + z * excess);
    last[b] = -z * (right[b] * settle + excess);
  }
  for (std::int64_t i = length - 2; i >= 0; --i) {
    const Lanes& after = block[i + 1];
    Lanes& here = block[i];
    for (std::int64_t b = 0; b < kLanes; ++b) {
      here[b] = z * (after[b] - here[b]);
    }
  }
  for (std::int64_t b = 0; b < kLanes; ++b) {
    block[-1][b] = z * (block[0][b] - left[b]);
    block[-2][b] = z * (block[-1][b] - left[b]);
  }
}

void combine_cubic(const Block& block, const AxisWeights& weights, std::int64_t i, Lanes& out) {
  const std::int64_t first = weights.first[static_cast<std::size_t>(i)];
  const float* w = &weights.weight[static_cast<std::size_t>(4 * i)];
  const Lanes& c0 = block[first];
  const Lanes& c1 = block[first + 1];
  const Lanes& c2 = block[first + 2];
  const Lanes& c3 = block[first + 3];
  for (std::int64_t b = 0; b < kLanes; ++b) {
    out[b] = (w[0] * c0[b] + w[1] * c1[b]) + (w[2] * c2[b] + w[3] * c3[b]);
  }
}

void combine_linear(const Block& block, const AxisWeights& weights, std::int64_t i, Lanes& out) {
  const std::int64_t first = weights.first[static_cast<std::size_t>(i)];
  const float* w = &weights.weight[static_cast<std::size_t>(2 * i)];
  const Lanes& c0 = block[first];
  const Lanes& c1 = block[first + 1];
  for (std::int64_t b = 0; b < kLanes; ++b) {
    out[b] = w[0] * c0[b] + w[1] * c1[b];
  }
}

void combine(const Block& block, const AxisWeights& weights, std::int64_t i, Lanes& out) {
  if (weights.taps == 4) {
    combine_cubic(block, weights, i, out);
  } else {
    combine_linear(block, weights, i, out);
  }
}

void prepare(Block& block, const AxisWeights& weights) {
  if (weights.prefilter) {
    to_spline_coefficients(block, weights.from);
  } else {
    replicate_edges(block, weights.from);
  }
}

// A volume seen along one axis: outer × length × inner.
struct View {
  std::int64_t outer, inner;
};

// Lines of an axis that is not the fastest: kLanes neighbouring columns are contiguous in memory.
void resample_columns(std::span<const float> in, std::span<float> out, const AxisWeights& weights,
                      View view, int threads) {
  const std::int64_t blocks = (view.inner + kLanes - 1) / kLanes;
  parallel_for(view.outer * blocks, threads, [&](std::int64_t task) {
    const std::int64_t outer = task / blocks;
    const std::int64_t column = task % blocks * kLanes;
    const auto width = static_cast<std::size_t>(std::min(kLanes, view.inner - column));
    Block block(weights.from);
    const float* source = in.data() + outer * weights.from * view.inner + column;
    for (std::int64_t i = 0; i < weights.from; ++i) {
      std::copy_n(source + i * view.inner, width, block[i].data());
    }
    prepare(block, weights);
    float* target = out.data() + outer * weights.to * view.inner + column;
    Lanes result;
    for (std::int64_t i = 0; i < weights.to; ++i) {
      combine(block, weights, i, result);
      std::copy_n(result.data(), width, target + i * view.inner);
    }
  });
}

// Lines of the fastest axis: kLanes lines are transposed into the block and back.
void resample_rows(std::span<const float> in, std::span<float> out, const AxisWeights& weights,
                   std::int64_t lines, int threads) {
  const std::int64_t blocks = (lines + kLanes - 1) / kLanes;
  parallel_for(blocks, threads, [&](std::int64_t task) {
    const std::int64_t line = task * kLanes;
    const std::int64_t width = std::min(kLanes, lines - line);
    Block block(weights.from);
    const float* source = in.data() + line * weights.from;
    for (std::int64_t i = 0; i < weights.from; ++i) {
      Lanes& row = block[i];
      for (std::int64_t b = 0; b < width; ++b) {
        row[b] = source[b * weights.from + i];
      }
    }
    prepare(block, weights);
    float* target = out.data() + line * weights.to;
    Lanes result;
    for (std::int64_t i = 0; i < weights.to; ++i) {
      combine(block, weights, i, result);
      for (std::int64_t b = 0; b < width; ++b) {
        target[b * weights.to + i] = result[b];
      }
    }
  });
}

}  // namespace

double source_position(std::int64_t from, std::int64_t to, std::int64_t i) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  return scale * (static_cast<double>(i) + 0.5) - 0.5;
}

std::int64_t nearest_source(std::int64_t from, std::int64_t to, std::int64_t i) {
  const double at = std::clamp(source_position(from, to, i), 0.0, static_cast<double>(from - 1));
  return std::min(from - 1, static_cast<std::int64_t>(std::floor(at + 0.5)));
}

AxisWeights cubic_weights(std::int64_t from, std::int64_t to) {
  AxisWeights result{
      .from = from, .to = to, .taps = 4, .prefilter = true, .first = {}, .weight = {}};
  for (std::int64_t i = 0; i < to; ++i) {
    const double at = source_position(from, to, i);
    const double y = at - std::floor(at);
    const double z = 1 - y;
    const double w0 = z * z * z / 6;
    const double w1 = (y * y * (y - 2) * 3 + 4) / 6;
    const double w2 = (z * z * (z - 2) * 3 + 4) / 6;
    result.first.push_back(static_cast<std::int32_t>(std::floor(at)) - 1);
    for (double w : {w0, w1, w2, 1 - w0 - w1 - w2}) {
      result.weight.push_back(static_cast<float>(kGain * w));
    }
  }
  return result;
}

AxisWeights linear_weights(std::int64_t from, std::int64_t to) {
  AxisWeights result{
      .from = from, .to = to, .taps = 2, .prefilter = false, .first = {}, .weight = {}};
  for (std::int64_t i = 0; i < to; ++i) {
    const double at = std::clamp(source_position(from, to, i), 0.0, static_cast<double>(from - 1));
    const double y = at - std::floor(at);
    result.first.push_back(static_cast<std::int32_t>(std::floor(at)));
    result.weight.push_back(static_cast<float>(1 - y));
    result.weight.push_back(static_cast<float>(y));
  }
  return result;
}

void resample_axis(std::span<const float> in, std::span<float> out, const AxisWeights& weights,
                   const AxisPass& pass) {
  if (pass.axis == 2) {
    resample_rows(in, out, weights, pass.size.z * pass.size.y, pass.threads);
  } else if (pass.axis == 1) {
    resample_columns(in, out, weights, {pass.size.z, pass.size.x}, pass.threads);
  } else {
    resample_columns(in, out, weights, {1, pass.size.y * pass.size.x}, pass.threads);
  }
}

}  // namespace hepar::detail
