#include "support/cuda_on_cpu.h"
// Behind it.
#include "../../../src/nn/norm_kernels.cu"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/custom_function.h>

#include "../../../src/nn/kernels_on_cuda.h"
#include "../../../src/nn/norm_passes.h"
#include "nn/norm_problem.h"

namespace hepar::nn {
namespace {

using test::distance;
using test::NormProblem;
using test::NormResult;
using test::run_norm;

struct Launch {
  at::Tensor sums;
  cuda::NormLaunch on;

  Launch(const at::Tensor& x, const NormActivation& how)
      : on{{x.size(0), x.size(1), x.numel() / (x.size(0) * x.size(1)), group_width(x, how)},
           element_of(x),
           nullptr,
           nullptr} {
    sums = at::empty({cuda::norm_scratch_values(on.shape)}, at::kDouble);
    on.sums = sums.mutable_data_ptr<double>();
  }
};

cuda::Coefficients coefficients_at(const at::Tensor& packed) {
  float* first = packed.data_ptr<float>();
  const std::int64_t n = packed.size(1);
  return {first, first + n, first + 2 * n, first + 3 * n};
}

/// The kernels as an operator of tensors on the CPU.
class Kernels : public torch::autograd::Function<Kernels> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const at::Tensor& bias,
                            const NormActivation& how) {
    const Launch launch(x, how);
    at::Tensor y = at::empty_like(x);
    const at::Tensor coefficients = at::empty({4, launch.on.shape.values()}, at::kFloat);
    cuda::norm_forward(launch.on,
                       {x.const_data_ptr(), weight.const_data_ptr<float>(),
                        bias.const_data_ptr<float>(), how.epsilon, static_cast<float>(how.slope),
                        coefficients_at(coefficients), y.mutable_data_ptr()});
    context->save_for_backward({x, coefficients});
    context->saved_data["slope"] = how.slope;
    context->saved_data["groups"] = how.groups;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor gradient = channels_last(gradients[0]);
    const double slope = context->saved_data["slope"].toDouble();
    const Launch launch(x, {1e-5, slope, context->saved_data["groups"].toInt()});
    const at::Tensor map = at::empty({2, launch.on.shape.values()}, at::kFloat);
    at::Tensor dx = at::empty_like(x), dweight = at::empty({x.size(1)}, at::kFloat),
               dbias = at::empty({x.size(1)}, at::kFloat);
    cuda::norm_backward(launch.on,
                        {x.const_data_ptr(), gradient.const_data_ptr(), static_cast<float>(slope),
                         coefficients_at(saved[1]), map.data_ptr<float>(),
                         map.data_ptr<float>() + map.size(1), dx.mutable_data_ptr(),
                         dweight.mutable_data_ptr<float>(), dbias.mutable_data_ptr<float>()});
    return {dx, dweight, dbias, at::Tensor()};
  }
};

at::Tensor by_kernels(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      const NormActivation& how) {
  return Kernels::apply(x, weight, bias, how);
}

class NormKernels : public testing::TestWithParam<NormProblem> {};

TEST_P(NormKernels, EqualThePlainCompositionInDouble) {
  const NormProblem problem = GetParam();
  const NormResult found = run_norm(problem, torch::dtype(problem.values), by_kernels);
  const NormResult plain = run_norm(problem, torch::kDouble, norm_activation_plain);

  const double rounding = test::rounding_of(problem.values);
  EXPECT_LE(distance(found.y, plain.y), rounding);
  EXPECT_LE(distance(found.dx, plain.dx), rounding);
  EXPECT_LE(distance(found.dweight, plain.dweight), 1e-5);
  EXPECT_LE(distance(found.dbias, plain.dbias), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Shapes, NormKernels, testing::ValuesIn(test::norm_problems()));

}  // namespace
}  // namespace hepar::nn
