#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "norm_kernels.h"
#include "norm_passes.h"
#include "pieces.h"

namespace hepar::nn {
namespace {

// Of a piece, about: its input and output fit a core's second-level cache.
constexpr std::int64_t kPieceValues = 65536;

/// Channels fastest.
struct Layout {
  std::int64_t samples, channels, voxels;

  explicit Layout(const at::Tensor& x)
      : samples(x.size(0)), channels(x.size(1)), voxels(x.numel() / (x.size(0) * x.size(1))) {}

  [[nodiscard]] Pieces pieces() const {
    return {samples, voxels, std::max<std::int64_t>(1, kPieceValues / channels)};
  }
  [[nodiscard]] Block block(const Piece& piece) const { return {piece.voxels, channels}; }
  /// Index of the first value of a piece.
  [[nodiscard]] std::int64_t offset(const Piece& piece) const {
    return (piece.sample * voxels + piece.first) * channels;
  }
};

/// Two sums for each sample and channel, from those of the pieces.
struct Sums {
  std::vector<double> first, second;  ///< [samples · channels]
};

class PieceSums {
 public:
  explicit PieceSums(const Layout& layout)
      : layout_(layout),
        values_(static_cast<std::size_t>(2 * layout.pieces().count() * layout.channels)) {}
  BlockSums of(std::int64_t piece) {
    double* first = values_.data() + 2 * piece * layout_.channels;
    return {first, first + layout_.channels};
  }

  Sums total() {
    const auto n = static_cast<std::size_t>(layout_.samples * layout_.channels);
    Sums sums{std::vector<double>(n), std::vector<double>(n)};
    for (std::int64_t i = 0; i < layout_.pieces().count(); ++i) {
      const std::int64_t to = layout_.pieces().piece(i).sample * layout_.channels;
      for (std::int64_t c = 0; c < layout_.channels; ++c) {
        sums.first[static_cast<std::size_t>(to + c)] += of(i).first[c];
        sums.second[static_cast<std::size_t>(to + c)] += of(i).second[c];
      }
    }
    return sums;
  }

 private:
  Layout layout_;
  std::vector<double> values_;
};

/// Affine maps of every sample and channel [samples · channels].
struct Coefficients {
  std::vector<float> scale, shift;                ///< from x to the norm's output
  std::vector<float> normal_scale, normal_shift;  ///< from x to the normalised x

  [[nodiscard]] Activation activation(std::int64_t at, float slope) const {
    return {scale.data() + at, shift.data() + at, slope};
  }
};

/// Gives every channel the sum over its group. `values`: [samples · channels].
std::vector<double> over_groups(std::vector<double> values, std::int64_t width) {
  for (auto first = values.begin(); width > 1 && first != values.end(); first += width) {
    std::fill(first, first + width, std::accumulate(first, first + width, 0.0));
  }
  return values;
}

/// Coefficients from the sums of x and x²; `width` channels share a mean and a variance.
Coefficients coefficients(const Layout& layout, const Sums& sums, const at::Tensor& weight,
                          const at::Tensor& bias, double epsilon, std::int64_t width) {
  const float* gain = weight.const_data_ptr<float>();
  const float* offset = bias.const_data_ptr<float>();
  const auto count = static_cast<double>(layout.voxels * width);
  const std::vector<double> first = over_groups(sums.first, width);
  const std::vector<double> second = over_groups(sums.second, width);
  Coefficients result;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::size_t c = i % static_cast<std::size_t>(layout.channels);
    const double mean = first[i] / count;
    const double variance = std::max(0.0, second[i] / count - mean * mean);
    const double inverse = 1 / std::sqrt(variance + epsilon);
    const double scale = static_cast<double>(gain[c]) * inverse;
    result.scale.push_back(static_cast<float>(scale));
    result.shift.push_back(static_cast<float>(static_cast<double>(offset[c]) - mean * scale));
    result.normal_scale.push_back(static_cast<float>(inverse));
    result.normal_shift.push_back(static_cast<float>(-mean * inverse));
  }
  return result;
}

Sums moments(const at::Tensor& x, const Layout& layout) {
  const float* values = x.const_data_ptr<float>();
  PieceSums sums(layout);
  layout.pieces().for_each([&](std::int64_t index, const Piece& piece) {
    sum_moments(values + layout.offset(piece), layout.block(piece), sums.of(index));
  });
  return sums.total();
}

/// What both backward passes read.
struct BackwardInputs {
  const at::Tensor& x;
  const at::Tensor& gradient;
  const Coefficients& coefficients;
  float slope;
  std::int64_t group_width;

  [[nodiscard]] BackwardBlock block(std::int64_t offset) const {
    return {x.const_data_ptr<float>() + offset, gradient.const_data_ptr<float>() + offset};
  }
};

Sums gradient_sums(const BackwardInputs& in, const Layout& layout) {
  const Coefficients& k = in.coefficients;
  PieceSums sums(layout);
  layout.pieces().for_each([&](std::int64_t index, const Piece& piece) {
    const std::int64_t at = piece.sample * layout.channels;
    sum_gradients(in.block(layout.offset(piece)), layout.block(piece), k.activation(at, in.slope),
                  {k.normal_scale.data() + at, k.normal_shift.data() + at}, sums.of(index));
  });
  return sums.total();
}

/// With h the normalised x: dx = scale · g − mean(scale · g) − h · mean(scale · g · h), means over
/// the group, written out in x.
at::Tensor input_gradient(const BackwardInputs& in, const Layout& layout, const Sums& sums) {
  const Coefficients& k = in.coefficients;
  const auto count = static_cast<double>(layout.voxels * in.group_width);
  std::vector<double> gradient, projection;
  for (std::size_t i = 0; i < k.scale.size(); ++i) {
    gradient.push_back(static_cast<double>(k.scale[i]) * sums.first[i]);
    projection.push_back(static_cast<double>(k.scale[i]) * sums.second[i]);
  }
  gradient = over_groups(std::move(gradient), in.group_width);
  projection = over_groups(std::move(projection), in.group_width);
  std::vector<float> by_value, constant;
  for (std::size_t i = 0; i < k.scale.size(); ++i) {
    const double by_normal = -projection[i] / count;
    by_value.push_back(static_cast<float>(by_normal * static_cast<double>(k.normal_scale[i])));
    constant.push_back(static_cast<float>(by_normal * static_cast<double>(k.normal_shift[i]) -
                                          gradient[i] / count));
  }
  at::Tensor dx = at::empty_like(in.x);
  float* values = dx.mutable_data_ptr<float>();
  layout.pieces().for_each([&](std::int64_t, const Piece& piece) {
    const std::int64_t at = piece.sample * layout.channels;
    const std::int64_t offset = layout.offset(piece);
    input_gradient(in.block(offset), layout.block(piece), k.activation(at, in.slope),
                   InputGradient{k.scale.data() + at, by_value.data() + at, constant.data() + at},
                   values + offset);
  });
  return dx;
}

/// Σ over samples of [samples · channels] -> tensor [channels].
at::Tensor over_samples(const std::vector<double>& values, const Layout& layout) {
  at::Tensor result = at::empty({layout.channels}, at::TensorOptions().dtype(at::kFloat));
  float* data = result.mutable_data_ptr<float>();
  for (std::int64_t c = 0; c < layout.channels; ++c) {
    double sum = 0;
    for (std::int64_t n = 0; n < layout.samples; ++n) {
      sum += values[static_cast<std::size_t>(n * layout.channels + c)];
    }
    data[c] = static_cast<float>(sum);
  }
  return result;
}

at::Tensor forward_values(const at::Tensor& x, const Layout& layout, const Coefficients& k,
                          float slope) {
  at::Tensor y = at::empty_like(x);
  const float* from = x.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  layout.pieces().for_each([&](std::int64_t, const Piece& piece) {
    const std::int64_t at = layout.offset(piece);
    activate(from + at, to + at, layout.block(piece),
             k.activation(piece.sample * layout.channels, slope));
  });
  return y;
}

/// Coefficients as one tensor, to be kept with the graph, and back.
at::Tensor pack(const Coefficients& k) {
  const auto n = static_cast<std::int64_t>(k.scale.size());
  at::Tensor packed = at::empty({4, n}, at::TensorOptions().dtype(at::kFloat));
  float* to = packed.mutable_data_ptr<float>();
  for (const auto* part : {&k.scale, &k.shift, &k.normal_scale, &k.normal_shift}) {
    to = std::copy(part->begin(), part->end(), to);
  }
  return packed;
}
Coefficients unpack(const at::Tensor& packed) {
  const std::int64_t n = packed.size(1);
  const float* from = packed.const_data_ptr<float>();
  const auto part = [&](std::int64_t i) {
    return std::vector<float>(from + i * n, from + (i + 1) * n);
  };
  return {part(0), part(1), part(2), part(3)};
}

}  // namespace

NormForward norm_forward_cpu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const NormActivation& how) {
  const Layout layout(x);
  const Coefficients k =
      coefficients(layout, moments(x, layout), weight, bias, how.epsilon, group_width(x, how));
  return {forward_values(x, layout, k, static_cast<float>(how.slope)), pack(k)};
}

NormGradients norm_backward_cpu(const at::Tensor& x, const at::Tensor& gradient,
                                const at::Tensor& coefficients, const NormActivation& how) {
  const Coefficients k = unpack(coefficients);
  const Layout layout(x);
  const BackwardInputs in{x, gradient, k, static_cast<float>(how.slope), group_width(x, how)};
  const Sums sums = gradient_sums(in, layout);
  return {input_gradient(in, layout, sums), over_samples(sums.second, layout),
          over_samples(sums.first, layout)};
}

}  // namespace hepar::nn
