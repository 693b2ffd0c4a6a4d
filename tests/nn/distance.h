#pragma once
#include <ATen/ATen.h>

#include <algorithm>

namespace hepar::nn::test {

/// Largest difference, against 1 or the largest value.
inline double distance(const at::Tensor& a, const at::Tensor& b) {
  const auto wide = b.detach().cpu().to(at::kDouble);
  return (a.detach().cpu().to(at::kDouble) - wide).abs().max().item<double>() /
         std::max(1.0, wide.abs().max().item<double>());
}

/// What values of a type may lose.
inline double rounding_of(at::ScalarType type) {
  return type == at::kBFloat16 ? 4e-3 : type == at::kHalf ? 5e-4 : 3e-6;
}

}  // namespace hepar::nn::test
