#include "nn/softmax_problem.h"
#include "support/gpu.h"

namespace hepar::nn {
namespace {

using test::run_softmax;
using test::SoftmaxProblem;
using test::SoftmaxResult;

class SoftmaxTermsOnGpu : public testing::TestWithParam<SoftmaxProblem> {};

TEST_P(SoftmaxTermsOnGpu, EqualThePlainCompositionInDouble) {
  HEPAR_NEEDS_GPU();
  const SoftmaxProblem problem = GetParam();
  const auto options = torch::TensorOptions(torch::kCUDA).dtype(problem.values);

  const SoftmaxResult found = run_softmax(problem, options, softmax_terms);
  const SoftmaxResult plain = run_softmax(problem, torch::kDouble, softmax_terms_plain);

  test::expect_equal(found, plain, problem);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SoftmaxTermsOnGpu, testing::ValuesIn(test::softmax_problems()));

TEST(SoftmaxTermsOnGpu, GiveTheSameBitsTwice) {
  HEPAR_NEEDS_GPU();
  const SoftmaxProblem problem{3, true, true};

  const SoftmaxResult one = run_softmax(problem, torch::kCUDA, softmax_terms);
  const SoftmaxResult two = run_softmax(problem, torch::kCUDA, softmax_terms);

  EXPECT_TRUE(torch::equal(one.terms.nll, two.terms.nll));
  EXPECT_TRUE(torch::equal(one.terms.prediction, two.terms.prediction));
  EXPECT_TRUE(torch::equal(one.gradient, two.gradient));
}

}  // namespace
}  // namespace hepar::nn
