#include "softmax_kernels.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

namespace hepar::nn {
namespace {

constexpr std::int64_t kWidth = 64;  // voxels of a tile: loops over them are vectorised
using Row = std::array<float, kWidth>;

/// e^x for x <= 0 to two units in the last place, in operations that vectorise: x is n ln 2 + r,
/// and e^r its Taylor polynomial on |r| <= ln 2 / 2. Below -87, where floats end: e^-87.
float exp_of(float x) {
  constexpr float kLowest = -87.0F;
  constexpr float kRound = 12582912.0F;  // 1.5 · 2^23: a sum with it has no fraction bits left
  constexpr float kLog2e = 1.44269504F;
  constexpr float kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  const float bounded = x < kLowest ? kLowest : x;  // not a number stays what it is
  const float shifted = bounded * kLog2e + kRound;
  const float n = shifted - kRound;
  const float r = (bounded - n * kLn2High) - n * kLn2Low;
  const float polynomial =
      1 + r * (1 + r * (0.5F + r * (1.0F / 6 + r * (1.0F / 24 + r * (1.0F / 120 + r / 720)))));
  const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) << 23;
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(polynomial) + exponent);
}

/// The probabilities of neighbouring voxels, class by class.
class SoftmaxTile {
 public:
  explicit SoftmaxTile(const SoftmaxBlock& block)
      : block_(block), p_(static_cast<std::size_t>(block.classes)) {}

  /// Voxels from `first` on; what lies beyond the block counts nothing.
  void load(std::int64_t first) {
    const std::int64_t count = std::min(kWidth, block_.voxels - first);
    for (std::int64_t c = 0; c < block_.classes; ++c) {
      const float* from = block_.logits + first * block_.voxel_stride + c * block_.class_stride;
      for (std::int64_t w = 0; w < count; ++w) {
        row(c)[index(w)] = from[w * block_.voxel_stride];
      }
    }
    for (std::int64_t w = 0; w < kWidth; ++w) {
      const std::int64_t label = w < count ? block_.labels[first + w] : -1;
      label_[index(w)] =
          label >= 0 && label < block_.classes ? static_cast<std::int32_t>(label) : -1;
    }
    normalise();
  }

  /// -1 where the label is no class.
  [[nodiscard]] std::int32_t label(std::size_t w) const { return label_[w]; }
  [[nodiscard]] const Row& p(std::int64_t c) const { return p_[index(c)]; }
  [[nodiscard]] float nll(std::size_t w) const { return std::log(sum_[w]) - of_label_[w]; }

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  Row& row(std::int64_t c) { return p_[index(c)]; }

  void normalise() {
    Row highest = p_[0];
    for (const Row& logits : p_) {
      for (std::size_t w = 0; w < kWidth; ++w) {
        highest[w] = logits[w] > highest[w] ? logits[w] : highest[w];
      }
    }
    for (std::size_t w = 0; w < kWidth; ++w) {
      of_label_[w] = label_[w] < 0 ? 0 : row(label_[w])[w] - highest[w];
      sum_[w] = 0;
    }
    for (Row& values : p_) {
      for (std::size_t w = 0; w < kWidth; ++w) {
        values[w] = exp_of(values[w] - highest[w]);
        sum_[w] += values[w];
      }
    }
    for (Row& values : p_) {
      for (std::size_t w = 0; w < kWidth; ++w) {
        values[w] /= sum_[w];
      }
    }
  }

  const SoftmaxBlock& block_;
  std::vector<Row> p_;
  std::array<std::int32_t, kWidth> label_{};
  Row sum_{}, of_label_{};
};

}  // namespace

void add_softmax_terms(const SoftmaxBlock& block, const SoftmaxSums& sums) {
  SoftmaxTile tile(block);
  std::vector<Row> prediction(static_cast<std::size_t>(block.classes), Row{});
  for (std::int64_t first = 0; first < block.voxels; first += kWidth) {
    tile.load(first);
    for (std::size_t w = 0; w < kWidth; ++w) {
      if (const std::int32_t label = tile.label(w); label >= 0) {
        sums.nll[label] += static_cast<double>(tile.nll(w));
        sums.voxels[label] += 1;
        sums.overlap[label] += static_cast<double>(tile.p(label)[w]);
      }
    }
    for (std::int64_t c = 0; c < block.classes; ++c) {
      Row& sum = prediction[static_cast<std::size_t>(c)];
      for (std::size_t w = 0; w < kWidth; ++w) {
        sum[w] += tile.label(w) < 0 ? 0.0F : tile.p(c)[w];
      }
    }
  }
  for (std::int64_t c = 0; c < block.classes; ++c) {
    for (const float sum : prediction[static_cast<std::size_t>(c)]) {
      sums.prediction[c] += static_cast<double>(sum);
    }
  }
}

/// With d_c the gradient of p_c, by the logits: p_c (d_c - Σ d p), and p_c - [c is the label] of
/// the cross-entropy.
void softmax_terms_gradient(const SoftmaxBlock& block, const SoftmaxGradients& by,
                            float* gradient) {
  SoftmaxTile tile(block);
  for (std::int64_t first = 0; first < block.voxels; first += kWidth) {
    tile.load(first);
    Row nll{}, overlap{}, mean{};
    for (std::size_t w = 0; w < kWidth; ++w) {
      if (const std::int32_t label = tile.label(w); label >= 0) {
        nll[w] = by.nll[label];
        overlap[w] = by.overlap[label];
        mean[w] = tile.p(label)[w] * overlap[w];
      }
    }
    for (std::int64_t c = 0; c < block.classes; ++c) {
      for (std::size_t w = 0; w < kWidth; ++w) {
        mean[w] += tile.p(c)[w] * by.prediction[c];
      }
    }
    const auto count = static_cast<std::size_t>(std::min(kWidth, block.voxels - first));
    for (std::int64_t c = 0; c < block.classes; ++c) {
      Row row;
      for (std::size_t w = 0; w < kWidth; ++w) {
        const float p = tile.p(c)[w];
        const float is_label = tile.label(w) == static_cast<std::int32_t>(c) ? 1.0F : 0.0F;
        const float all =
            nll[w] * (p - is_label) + p * (by.prediction[c] + is_label * overlap[w] - mean[w]);
        row[w] = tile.label(w) < 0 ? 0.0F : all;
      }
      float* out = gradient + first * block.voxel_stride + c * block.class_stride;
      for (std::size_t w = 0; w < count; ++w) {
        out[static_cast<std::int64_t>(w) * block.voxel_stride] = row[w];
      }
    }
  }
}

}  // namespace hepar::nn
