#pragma once
#include <torch/types.h>
#include <torch/utils.h>

#include <vector>

#include "../../src/nn/fused_norm.h"
#include "nn/distance.h"

namespace hepar::nn::test {

struct NormProblem {
  std::int64_t samples, channels;
  double slope;
  double offset;  ///< of every value: large means must not cost the variance its digits
  std::int64_t groups = 0;
  at::ScalarType values = at::kFloat;  ///< x and the gradient are numbers of this type
};

struct NormResult {
  at::Tensor y, dx, dweight, dbias;
};

/// Runs `function` on the problem's numbers, x in the given type and on the given device, and
/// differentiates it. Weight and bias are float, or double as x.
template <class F>
NormResult run_norm(const NormProblem& problem, const at::TensorOptions& options,
                    const F& function) {
  const at::TensorOptions wide =
      options.dtype() == at::kDouble ? options : options.dtype(at::kFloat);
  torch::manual_seed(5);
  const std::vector<std::int64_t> shape{problem.samples, problem.channels, 5, 6, 7};
  auto x = torch::randn(shape).mul(1.7).add(problem.offset).to(problem.values).to(options);
  auto weight = torch::randn({problem.channels}).to(wide).requires_grad_();
  auto bias = torch::randn({problem.channels}).to(wide).requires_grad_();
  // As the gradient of a convolution: another order hides faults of operators.
  const auto direction = channels_last(torch::randn(shape).to(problem.values).to(options));
  x = channels_last(x).detach().requires_grad_();

  const at::Tensor y =
      function(x, weight, bias, NormActivation{1e-5, problem.slope, problem.groups});
  (y * direction).sum().backward();
  return {y.detach(), x.grad(), weight.grad(), bias.grad()};
}

/// For kernels of a GPU: channels that are moved four at a time and one by one, less and more than
/// a warp of them.
inline std::vector<NormProblem> norm_problems() {
  return {{2, 1, 0.01, 0},
          {1, 3, 0.01, 0},
          {3, 16, 0.01, 0},
          {2, 37, 0.2, 0},
          {1, 320, 1.0, 0},
          {2, 24, 0.0, 0, 12},
          {3, 6, 1.0, 0, 2},
          {2, 32, 0.01, 0, 0, at::kBFloat16},
          {2, 33, 0.01, 0, 0, at::kHalf},
          {2, 64, 0.0, 0, 32, at::kBFloat16}};
}

}  // namespace hepar::nn::test
