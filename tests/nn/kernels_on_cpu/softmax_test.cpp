#include "support/cuda_on_cpu.h"
// Behind it.
#include "../../../src/nn/softmax_kernels.cu"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/custom_function.h>

#include "../../../src/nn/softmax_input.h"
#include "nn/softmax_problem.h"

namespace hepar::nn {
namespace {

using test::SoftmaxProblem;
using test::SoftmaxResult;

/// The kernels as an operator of tensors on the CPU.
class Kernels : public torch::autograd::Function<Kernels> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& logits,
                            const at::Tensor& labels) {
    context->save_for_backward({logits, labels});
    const cuda::SoftmaxInput in = softmax_input(logits, labels);
    const at::Tensor scratch = at::empty({cuda::softmax_scratch_values(in)}, at::kDouble);
    at::Tensor totals = at::empty({in.samples, 4, in.classes}, at::kDouble);
    cuda::softmax_terms(in, scratch.mutable_data_ptr<double>(), totals.mutable_data_ptr<double>(),
                        nullptr);
    return totals;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor by = gradients[0].to(at::kFloat).contiguous();
    at::Tensor result = at::empty_like(saved[0]);
    cuda::softmax_terms_gradient(softmax_input(saved[0], saved[1]), by.const_data_ptr<float>(),
                                 result.mutable_data_ptr(), nullptr);
    return {result, at::Tensor()};
  }
};

SoftmaxTerms by_kernels(const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor terms = Kernels::apply(logits, labels);
  return {terms.select(1, 0), terms.select(1, 1).detach(), terms.select(1, 2), terms.select(1, 3)};
}

class SoftmaxKernels : public testing::TestWithParam<SoftmaxProblem> {};

TEST_P(SoftmaxKernels, EqualThePlainCompositionInDouble) {
  const SoftmaxProblem problem = GetParam();
  const SoftmaxResult found = run_softmax(problem, torch::dtype(problem.values), by_kernels);
  const SoftmaxResult plain = run_softmax(problem, torch::kDouble, softmax_terms_plain);

  test::expect_equal(found, plain, problem);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SoftmaxKernels, testing::ValuesIn(test::softmax_problems()));

}  // namespace
}  // namespace hepar::nn
