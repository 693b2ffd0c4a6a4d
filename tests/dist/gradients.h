#pragma once
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "hepar/core/random.h"

namespace hepar::test {

inline const bool kOneThread = [] {
  at::set_num_threads(1);
  return true;
}();

/// Parameters of many kinds: channels-last, odd sizes, a scalar, one of more than two 1 MiB
/// segments.
inline std::vector<at::Tensor> make_parameters() {
  std::vector<at::Tensor> parameters{
      at::zeros({6, 5, 3, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast3d),
      at::zeros({7}),
      at::zeros({600'001}),
      at::zeros({}),
      at::zeros({4, 9}).t(),
  };
  for (at::Tensor& p : parameters) {
    p.requires_grad_(true);
  }
  return parameters;
}

/// Gradient `parameter` of leaf `leaf`: magnitudes over six decades, so that any other order of
/// summation shows in the bits; element 0 is −0 everywhere.
inline at::Tensor leaf_gradient(const at::Tensor& like, int leaf, int parameter) {
  RandomStream random({.seed = 7,
                       .purpose = Purpose::kTest,
                       .step = static_cast<std::uint64_t>(leaf),
                       .slot = static_cast<std::uint32_t>(parameter)});
  at::Tensor values = at::empty(like.sizes());
  float* data = values.data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    const double u = random.uniform(-1, 1);
    data[i] = static_cast<float>(u * u * u * u * u * (i % 3 == 0 ? 1000 : 1));
  }
  data[0] = -0.0F;
  return values;
}

inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.contiguous();
  const at::Tensor y = b.contiguous();
  return x.sizes() == y.sizes() && std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0;
}

}  // namespace hepar::test
