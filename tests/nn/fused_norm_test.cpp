#include "../../src/nn/fused_norm.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <vector>

#include "nn/norm_problem.h"

namespace hepar::nn {
namespace {

using test::distance;
using test::NormProblem;
using test::NormResult;
using test::run_norm;

class FusedNorm : public testing::TestWithParam<NormProblem> {};

TEST_P(FusedNorm, EqualsThePlainCompositionInDouble) {
  const NormResult found = run_norm(GetParam(), torch::kFloat, fused_norm_activation);
  const NormResult plain = run_norm(GetParam(), torch::kDouble, norm_activation_plain);

  const double tolerance = GetParam().offset > 0 ? 1e-3 : 3e-6;  // of float input at that offset
  EXPECT_LE(distance(found.y, plain.y), tolerance);
  EXPECT_LE(distance(found.dx, plain.dx), tolerance);
  EXPECT_LE(distance(found.dweight, plain.dweight), tolerance);
  EXPECT_LE(distance(found.dbias, plain.dbias), tolerance);
}

INSTANTIATE_TEST_SUITE_P(Shapes, FusedNorm,
                         testing::Values(NormProblem{2, 1, 0.01, 0}, NormProblem{1, 3, 0.01, 0},
                                         NormProblem{3, 16, 0.01, 0}, NormProblem{2, 37, 0.2, 0},
                                         NormProblem{1, 20, 1.0, 0}, NormProblem{2, 16, 1.0, 100},
                                         NormProblem{2, 24, 0.0, 0, 12},
                                         NormProblem{3, 6, 1.0, 0, 2},
                                         NormProblem{2, 5, 0.01, 0, 1}));

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
