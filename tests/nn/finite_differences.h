#pragma once
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <functional>

namespace hepar::test {

/// Largest difference between autograd's gradient of a scalar function and central differences,
/// over the elements of `x` (double), against the largest gradient.
inline double gradient_error(const std::function<at::Tensor(const at::Tensor&)>& function,
                             const at::Tensor& x, double step = 1e-6) {
  const at::Tensor variable = x.detach().clone().requires_grad_();
  function(variable).backward();
  const at::Tensor gradient = variable.grad().contiguous().flatten();
  at::Tensor moved = x.detach().clone().contiguous();
  at::Tensor elements = moved.view(-1);
  double error = 0;
  for (std::int64_t i = 0; i < moved.numel(); ++i) {
    const double here = elements[i].item<double>();
    elements[i] = here + step;
    const double above = function(moved).item<double>();
    elements[i] = here - step;
    const double below = function(moved).item<double>();
    elements[i] = here;
    error = std::max(error, std::abs((above - below) / (2 * step) - gradient[i].item<double>()));
  }
  return error / std::max(1e-12, gradient.abs().max().item<double>());
}

}  // namespace hepar::test
