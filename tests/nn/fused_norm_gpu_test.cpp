#include "../../src/nn/fused_norm.h"

#include <gtest/gtest.h>

#include "nn/norm_problem.h"
#include "support/gpu.h"

namespace hepar::nn {
namespace {

using test::distance;
using test::NormProblem;
using test::NormResult;
using test::run_norm;

class FusedNormOnGpu : public testing::TestWithParam<NormProblem> {};

TEST_P(FusedNormOnGpu, EqualsThePlainCompositionInDouble) {
  HEPAR_NEEDS_GPU();
  const NormProblem problem = GetParam();
  const auto options = torch::TensorOptions(torch::kCUDA).dtype(problem.values);

  const NormResult found = run_norm(problem, options, fused_norm_activation);
  const NormResult plain = run_norm(problem, torch::kDouble, norm_activation_plain);

  const double rounding = test::rounding_of(problem.values);
  EXPECT_EQ(found.y.scalar_type(), problem.values);
  EXPECT_LE(distance(found.y.cpu(), plain.y), rounding);
  EXPECT_LE(distance(found.dx.cpu(), plain.dx), rounding);
  EXPECT_LE(distance(found.dweight.cpu(), plain.dweight), 1e-5);
  EXPECT_LE(distance(found.dbias.cpu(), plain.dbias), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Shapes, FusedNormOnGpu, testing::ValuesIn(test::norm_problems()));

TEST(FusedNormOnGpu, GivesTheSameBitsTwice) {
  HEPAR_NEEDS_GPU();
  const NormProblem problem{2, 48, 0.01, 0.5};

  const NormResult one = run_norm(problem, torch::kCUDA, fused_norm_activation);
  const NormResult two = run_norm(problem, torch::kCUDA, fused_norm_activation);

  EXPECT_TRUE(torch::equal(one.y, two.y));
  EXPECT_TRUE(torch::equal(one.dx, two.dx));
  EXPECT_TRUE(torch::equal(one.dweight, two.dweight));
  EXPECT_TRUE(torch::equal(one.dbias, two.dbias));
}

/// More voxels than one piece holds, and a variance that is small beside the mean.
TEST(FusedNormOnGpu, AddsManyVoxelsOfALargeMean) {
  HEPAR_NEEDS_GPU();
  torch::manual_seed(3);
  const auto x = torch::randn({2, 8, 64, 96, 96}).add(100).to(torch::kCUDA);
  const auto weight = torch::ones({8}, torch::kCUDA), bias = torch::zeros({8}, torch::kCUDA);

  const at::Tensor found = fused_norm_activation(channels_last(x), weight, bias, {});
  const at::Tensor plain = norm_activation_plain(x.to(torch::kDouble), weight.to(torch::kDouble),
                                                 bias.to(torch::kDouble), {});

  EXPECT_LE(distance(found, plain), 1e-4);
}

TEST(FusedNormOnGpu, IsUsedInABuildWithCuda) {
  HEPAR_NEEDS_GPU();
  const auto weight = torch::ones({4}, torch::kCUDA), bias = torch::zeros({4}, torch::kCUDA);
  const auto x = torch::randn({2, 4, 3, 4, 5}, torch::kCUDA);

  EXPECT_TRUE(can_fuse(channels_last(x), weight, bias));
  EXPECT_FALSE(can_fuse(x, weight, bias));
  EXPECT_FALSE(can_fuse(channels_last(x), weight.cpu(), bias.cpu()));
}

}  // namespace
}  // namespace hepar::nn
