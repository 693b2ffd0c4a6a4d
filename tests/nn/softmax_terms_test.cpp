#include "../../src/nn/softmax_terms.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

namespace hepar::nn {
namespace {

struct Problem {
  std::int64_t classes;
  bool channels_last, ignored;
};

struct Result {
  SoftmaxTerms terms;
  at::Tensor gradient;
};

constexpr std::int64_t kSamples = 2;

/// More voxels a sample than a piece has.
at::Tensor logits_of(const Problem& problem, at::ScalarType type) {
  torch::manual_seed(7);
  const at::Tensor x = 3 * torch::randn({kSamples, problem.classes, 31, 29, 27});
  return x.to(type)
      .contiguous(problem.channels_last ? at::MemoryFormat::ChannelsLast3d
                                        : at::MemoryFormat::Contiguous)
      .requires_grad_();
}

at::Tensor labels_of(const Problem& problem) {
  torch::manual_seed(8);
  return torch::randint(problem.ignored ? -1 : 0, problem.classes + (problem.ignored ? 1 : 0),
                        {kSamples, 31, 29, 27}, torch::kLong);
}

/// Differentiates a mixture of all sums.
template <class F>
Result run(const Problem& problem, at::ScalarType type, const F& function) {
  const at::Tensor x = logits_of(problem, type);
  const SoftmaxTerms terms = function(x, labels_of(problem));
  torch::manual_seed(9);
  at::Tensor loss = torch::zeros({}, torch::kDouble);
  for (const at::Tensor* part : {&terms.nll, &terms.overlap, &terms.prediction}) {
    loss = loss + (*part * torch::randn(part->sizes(), torch::kDouble)).sum();
  }
  loss.backward();
  return {terms, x.grad()};
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  const auto wide = b.detach().to(torch::kDouble);
  return (a.detach().to(torch::kDouble) - wide).abs().max().item<double>() /
         std::max(1.0, wide.abs().max().item<double>());
}

class SoftmaxTermsOf : public testing::TestWithParam<Problem> {};

TEST_P(SoftmaxTermsOf, EqualThePlainCompositionInDouble) {
  const Result found = run(GetParam(), torch::kFloat, softmax_terms);
  const Result plain = run(GetParam(), torch::kDouble, softmax_terms_plain);

  EXPECT_LE(distance(found.terms.nll, plain.terms.nll), 1e-6);
  EXPECT_TRUE(torch::equal(found.terms.voxels, plain.terms.voxels));
  EXPECT_LE(distance(found.terms.overlap, plain.terms.overlap), 1e-6);
  EXPECT_LE(distance(found.terms.prediction, plain.terms.prediction), 1e-6);
  EXPECT_LE(distance(found.gradient, plain.gradient), 2e-6);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SoftmaxTermsOf,
                         testing::Values(Problem{2, true, false}, Problem{2, false, true},
                                         Problem{3, true, true}, Problem{3, false, false},
                                         Problem{5, true, true}, Problem{5, false, true}));

TEST(SoftmaxTerms, DoNotDependOnTheNumberOfThreads) {
  const Problem problem{3, true, true};
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Result one = run(problem, torch::kFloat, softmax_terms);
  at::set_num_threads(2);
  const Result two = run(problem, torch::kFloat, softmax_terms);
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
