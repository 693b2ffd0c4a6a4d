#include "norm_kernels.h"

#include <algorithm>

namespace hepar::nn {
namespace {

/// Calls body.template operator()<W>(first channel) over blocks of W channels. Sixteen fill the
/// vector registers with a block's coefficients and sums; eight were measured to be slower.
template <class Body>
void for_channels(std::int64_t channels, const Body& body) {
  std::int64_t c = 0;
  for (; c + 16 <= channels; c += 16) {
    body.template operator()<16>(c);
  }
  for (; c + 4 <= channels; c += 4) {
    body.template operator()<4>(c);
  }
  for (; c < channels; ++c) {
    body.template operator()<1>(c);
  }
}

/// W coefficients in registers.
template <int W>
struct Coefficients {
  float value[W];
  explicit Coefficients(const float* from) { std::copy_n(from, W, value); }
  float operator[](int w) const { return value[w]; }
};

/// Gradient of z from that of LeakyReLU(z).
float through_activation(float gradient, float z, float slope) {
  return gradient * (z > 0 ? 1.0F : slope);
}

}  // namespace

void sum_moments(const float* x, const Block& block, const BlockSums& sums) {
  for_channels(block.channels, [&]<int W>(std::int64_t c) {
    double s[W] = {}, q[W] = {};
    for (std::int64_t v = 0; v < block.voxels; ++v) {
      const float* row = x + v * block.channels + c;
      for (int w = 0; w < W; ++w) {
        const auto value = static_cast<double>(row[w]);
        s[w] += value;
        q[w] += value * value;
      }
    }
    std::copy_n(s, W, sums.first + c);
    std::copy_n(q, W, sums.second + c);
  });
}

void activate(const float* x, float* y, const Block& block, const Activation& how) {
  for_channels(block.channels, [&]<int W>(std::int64_t c) {
    const Coefficients<W> scale(how.scale + c), shift(how.shift + c);
    const float slope = how.slope;
    for (std::int64_t v = 0; v < block.voxels; ++v) {
      const float* __restrict row = x + v * block.channels + c;
      float* __restrict out = y + v * block.channels + c;
      for (int w = 0; w < W; ++w) {
        const float z = row[w] * scale[w] + shift[w];
        out[w] = through_activation(z, z, slope);
      }
    }
  });
}

void sum_gradients(const BackwardBlock& in, const Block& block, const Activation& how,
                   const Normalisation& normal, const BlockSums& sums) {
  for_channels(block.channels, [&]<int W>(std::int64_t c) {
    const Coefficients<W> scale(how.scale + c), shift(how.shift + c);
    const Coefficients<W> normal_scale(normal.scale + c), normal_shift(normal.shift + c);
    const float slope = how.slope;
    double s[W] = {}, p[W] = {};
    for (std::int64_t v = 0; v < block.voxels; ++v) {
      const float* row = in.x + v * block.channels + c;
      const float* gradient = in.gradient + v * block.channels + c;
      for (int w = 0; w < W; ++w) {
        const float g = through_activation(gradient[w], row[w] * scale[w] + shift[w], slope);
        s[w] += static_cast<double>(g);
        p[w] += static_cast<double>(g * (row[w] * normal_scale[w] + normal_shift[w]));
      }
    }
    std::copy_n(s, W, sums.first + c);
    std::copy_n(p, W, sums.second + c);
  });
}

void input_gradient(const BackwardBlock& in, const Block& block, const Activation& how,
                    const InputGradient& k, float* dx) {
  for_channels(block.channels, [&]<int W>(std::int64_t c) {
    const Coefficients<W> scale(how.scale + c), shift(how.shift + c);
    const Coefficients<W> by_gradient(k.by_gradient + c), by_value(k.by_value + c),
        constant(k.constant + c);
    const float slope = how.slope;
    for (std::int64_t v = 0; v < block.voxels; ++v) {
      const float* __restrict row = in.x + v * block.channels + c;
      const float* __restrict gradient = in.gradient + v * block.channels + c;
      float* __restrict out = dx + v * block.channels + c;
      for (int w = 0; w < W; ++w) {
        const float g = through_activation(gradient[w], row[w] * scale[w] + shift[w], slope);
        out[w] = g * by_gradient[w] + (row[w] * by_value[w] + constant[w]);
      }
    }
  });
}

}  // namespace hepar::nn
