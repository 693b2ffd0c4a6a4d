#pragma once
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <vector>

#include "../../src/nn/softmax_terms.h"
#include "nn/distance.h"

namespace hepar::nn::test {

struct SoftmaxProblem {
  std::int64_t classes;
  bool channels_last, ignored;
  at::ScalarType values = at::kFloat;  ///< the logits are numbers of this type
};

struct SoftmaxResult {
  SoftmaxTerms terms;
  at::Tensor gradient;
};

constexpr std::int64_t kSamples = 2;

/// More voxels a sample than a piece has.
inline at::Tensor logits_of(const SoftmaxProblem& problem, const at::TensorOptions& options) {
  torch::manual_seed(7);
  const at::Tensor x = 3 * torch::randn({kSamples, problem.classes, 31, 29, 27});
  return x.to(problem.values)
      .to(options)
      .contiguous(problem.channels_last ? at::MemoryFormat::ChannelsLast3d
                                        : at::MemoryFormat::Contiguous)
      .requires_grad_();
}

inline at::Tensor labels_of(const SoftmaxProblem& problem) {
  torch::manual_seed(8);
  return torch::randint(problem.ignored ? -1 : 0, problem.classes + (problem.ignored ? 1 : 0),
                        {kSamples, 31, 29, 27}, torch::kLong);
}

/// Differentiates a mixture of all sums; logits in the type and on the device of `options`.
template <class F>
SoftmaxResult run_softmax(const SoftmaxProblem& problem, const at::TensorOptions& options,
                          const F& function) {
  const at::Tensor x = logits_of(problem, options);
  const SoftmaxTerms terms = function(x, labels_of(problem).to(x.device()));
  torch::manual_seed(9);
  at::Tensor loss = torch::zeros({}, terms.nll.options());
  for (const at::Tensor* part : {&terms.nll, &terms.overlap, &terms.prediction}) {
    loss = loss + (*part * torch::randn(part->sizes(), torch::kDouble).to(x.device())).sum();
  }
  loss.backward();
  return {terms, x.grad()};
}

inline void expect_equal(const SoftmaxResult& found, const SoftmaxResult& plain,
                         const SoftmaxProblem& problem) {
  constexpr double kFloatRounding = 2e-6;  // of the gradient itself
  const double rounding =
      problem.values == at::kFloat ? kFloatRounding : rounding_of(problem.values);
  EXPECT_LE(distance(found.terms.nll, plain.terms.nll), 1e-6);
  EXPECT_TRUE(torch::equal(found.terms.voxels.cpu(), plain.terms.voxels.cpu()));
  EXPECT_LE(distance(found.terms.overlap, plain.terms.overlap), 1e-6);
  EXPECT_LE(distance(found.terms.prediction, plain.terms.prediction), 1e-6);
  EXPECT_LE(distance(found.gradient, plain.gradient), rounding);
}

/// Every compiled number of classes, both orders, and what a GPU computes in.
inline std::vector<SoftmaxProblem> softmax_problems() {
  return {{2, true, false},
          {2, false, true},
          {3, true, true},
          {3, false, false},
          {5, true, true},
          {9, false, true},
          {16, true, false},
          {32, true, true},
          {3, true, true, at::kBFloat16},
          {5, false, false, at::kHalf}};
}

}  // namespace hepar::nn::test
