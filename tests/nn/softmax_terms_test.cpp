#include "../../src/nn/softmax_terms.h"

#include <ATen/Parallel.h>

#include <cmath>

#include "nn/softmax_problem.h"

namespace hepar::nn {
namespace {

using test::run_softmax;
using test::SoftmaxProblem;
using test::SoftmaxResult;

class SoftmaxTermsOf : public testing::TestWithParam<SoftmaxProblem> {};

TEST_P(SoftmaxTermsOf, EqualThePlainCompositionInDouble) {
  const SoftmaxResult found = run_softmax(GetParam(), torch::kFloat, softmax_terms);
  const SoftmaxResult plain = run_softmax(GetParam(), torch::kDouble, softmax_terms_plain);

  test::expect_equal(found, plain, GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, SoftmaxTermsOf,
    testing::Values(SoftmaxProblem{2, true, false}, SoftmaxProblem{2, false, true},
                    SoftmaxProblem{3, true, true}, SoftmaxProblem{3, false, false},
                    SoftmaxProblem{5, true, true}, SoftmaxProblem{5, false, true}));

TEST(SoftmaxTerms, DoNotDependOnTheNumberOfThreads) {
  const SoftmaxProblem problem{3, true, true};
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const SoftmaxResult one = run_softmax(problem, torch::kFloat, softmax_terms);
  at::set_num_threads(2);
  const SoftmaxResult two = run_softmax(problem, torch::kFloat, softmax_terms);
  at::set_num_threads(before);

  EXPECT_TRUE(torch::equal(one.terms.nll, two.terms.nll));
  EXPECT_TRUE(torch::equal(one.terms.prediction, two.terms.prediction));
  EXPECT_TRUE(torch::equal(one.gradient, two.gradient));
}

TEST(SoftmaxTerms, StayFiniteForLogitsFarApartAndShowWhatIsNotANumber) {
  at::Tensor x = torch::zeros({1, 2, 1, 1, 2});
  x[0][0][0][0][0] = 1e4;
  const at::Tensor labels = torch::ones({1, 1, 1, 2}, torch::kLong);
  EXPECT_NEAR(softmax_terms(x, labels).nll[0][1].item<double>(), 1e4 + std::log(2.0), 1e-3);

  for (const std::int64_t channel : {0, 1}) {
    at::Tensor broken = torch::zeros({1, 2, 1, 1, 2});
    broken[0][channel][0][0][1] = std::nan("");
    EXPECT_TRUE(std::isnan(softmax_terms(broken, labels).nll[0][1].item<double>())) << channel;
  }
}

}  // namespace
}  // namespace hepar::nn
