#include "../../src/nn/fused_norm.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <vector>

namespace hepar::nn {
namespace {

struct Problem {
  std::int64_t samples, channels;
  double slope;
  double offset;  ///< of every value: large means must not cost the variance its digits
  std::int64_t groups = 0;
};

struct Result {
  at::Tensor y, dx, dweight, dbias;
};

/// Runs `function` on the problem's numbers in the given type and order and differentiates it.
template <class F>
Result run(const Problem& problem, at::ScalarType type, const F& function) {
  torch::manual_seed(5);
  const std::vector<std::int64_t> shape{problem.samples, problem.channels, 5, 6, 7};
  auto x = torch::randn(shape).mul(1.7).add(problem.offset).to(type);
  auto weight = torch::randn({problem.channels}).to(type).requires_grad_();
  auto bias = torch::randn({problem.channels}).to(type).requires_grad_();
  const auto direction =
      channels_last(torch::randn(shape).to(type));  // as a convolution's gradient
  x = channels_last(x).detach().requires_grad_();

  const at::Tensor y =
      function(x, weight, bias, NormActivation{1e-5, problem.slope, problem.groups});
  (y * direction).sum().backward();
  return {y.detach(), x.grad(), weight.grad(), bias.grad()};
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  const auto wide = b.to(torch::kDouble);
  return (a.to(torch::kDouble) - wide).abs().max().item<double>() /
         std::max(1.0, wide.abs().max().item<double>());
}

class FusedNorm : public testing::TestWithParam<Problem> {};

TEST_P(FusedNorm, EqualsThePlainCompositionInDouble) {
  const Result found = run(GetParam(), torch::kFloat, fused_norm_activation);
  const Result plain = run(GetParam(), torch::kDouble, norm_activation_plain);

  const double tolerance = GetParam().offset > 0 ? 1e-3 : 3e-6;  // of float input at that offset
  EXPECT_LE(distance(found.y, plain.y), tolerance);
  EXPECT_LE(distance(found.dx, plain.dx), tolerance);
  EXPECT_LE(distance(found.dweight, plain.dweight), tolerance);
  EXPECT_LE(distance(found.dbias, plain.dbias), tolerance);
}

INSTANTIATE_TEST_SUITE_P(Shapes, FusedNorm,
                         testing::Values(Problem{2, 1, 0.01, 0}, Problem{1, 3, 0.01, 0},
                                         Problem{3, 16, 0.01, 0}, Problem{2, 37, 0.2, 0},
                                         Problem{1, 20, 1.0, 0}, Problem{2, 16, 1.0, 100},
                                         Problem{2, 24, 0.0, 0, 12}, Problem{3, 6, 1.0, 0, 2},
                                         Problem{2, 5, 0.01, 0, 1}));

TEST(FusedNorm, IsUsedForChannelsLastFloatOnly) {
  const auto weight = torch::ones({4}), bias = torch::zeros({4});
  const auto x = torch::randn({2, 4, 3, 4, 5});

  EXPECT_FALSE(can_fuse(x, weight, bias));
  EXPECT_TRUE(can_fuse(channels_last(x), weight, bias));
  EXPECT_FALSE(can_fuse(channels_last(x).to(torch::kDouble), weight, bias));
}

TEST(FusedNorm, GivesTheSameBitsWithAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  torch::manual_seed(9);
  const auto x0 = channels_last(torch::randn({2, 24, 20, 30, 30}));
  const auto direction = torch::randn({2, 24, 20, 30, 30});  // another order: backward must copy it
  const auto once = [&](int n) {
    at::set_num_threads(n);
    auto x = x0.clone().requires_grad_();
    auto weight = torch::full({24}, 1.5).requires_grad_();
    auto bias = torch::full({24}, 0.1).requires_grad_();
    const auto y = fused_norm_activation(x, weight, bias, {});
    (y * direction).sum().backward();
    return std::vector<at::Tensor>{y.detach(), x.grad(), weight.grad(), bias.grad()};
  };

  const auto one = once(1);
  const auto three = once(3);
  at::set_num_threads(threads);

  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_TRUE(torch::equal(one[i], three[i])) << i;
  }
}

TEST(ChannelsLast, MarksASingleChannel) {
  const auto x = torch::randn({2, 1, 3, 4, 5});

  const auto y = channels_last(x);

  EXPECT_EQ(y.suggest_memory_format(), at::MemoryFormat::ChannelsLast3d);
  EXPECT_TRUE(torch::equal(x, y));
}

}  // namespace
}  // namespace hepar::nn
