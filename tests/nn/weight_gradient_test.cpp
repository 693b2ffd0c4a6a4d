#include "../../src/nn/weight_gradient.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <string>

#include "../../src/nn/fused_norm.h"

namespace hepar::nn {
namespace {

struct Case {
  std::int64_t samples, in, out;
  std::vector<std::int64_t> size, kernel, stride, dilation;  ///< z, y, x
};

std::string text_of(const Case& c) {
  return c10::str(c.samples, " x ", c.in, " -> ", c.out, ", size ", c.size, ", kernel ", c.kernel,
                  ", stride ", c.stride, ", dilation ", c.dilation);
}

struct Problem {
  at::Tensor x, gradient, weight;
  ConvolutionGeometry how;
};

Problem problem_of(const Case& c) {
  at::manual_seed(3);
  ConvolutionGeometry how{{}, c.stride, c.dilation};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    how.padding.push_back(c.kernel[axis] / 2 * c.dilation[axis]);
  }
  const at::Tensor x = channels_last(at::randn({c.samples, c.in, c.size[0], c.size[1], c.size[2]}));
  const at::Tensor weight = at::randn({c.out, c.in, c.kernel[0], c.kernel[1], c.kernel[2]});
  const at::Tensor y = at::conv3d(x, weight, {}, how.stride, how.padding, how.dilation);
  return {x, channels_last(at::randn(y.sizes())), weight, how};
}

/// ATen in double precision, which oneDNN has no part in.
at::Tensor oracle(const Problem& p) {
  return std::get<1>(at::convolution_backward(
      p.gradient.to(at::kDouble), p.x.to(at::kDouble), p.weight.to(at::kDouble), std::nullopt,
      p.how.stride, p.how.padding, p.how.dilation, false, {0, 0, 0}, 1, {false, true, false}));
}

TEST(WeightGradient, EqualsDoublePrecision) {
  const std::vector<std::int64_t> three{3, 3, 3}, one{1, 1, 1}, two{2, 2, 2};
  for (const Case& c : {
           Case{1, 16, 16, {6, 9, 20}, three, one, one},
           Case{2, 32, 16, {5, 6, 7}, three, one, one},
           Case{2, 16, 40, {5, 6, 70}, {1, 3, 3}, one, one},
           Case{1, 1, 32, {6, 9, 20}, three, one, one},  // vectors along the output
           Case{2, 3, 16, {9, 10, 11}, {7, 7, 7}, two, one},
           Case{1, 24, 3, {4, 5, 6}, {1, 1, 1}, one, one},  // vectors along the input, 3 rows
           Case{1, 8, 16, {6, 7, 8}, three, {1, 2, 2}, one},
           Case{1, 16, 32, {8, 8, 8}, three, two, one},
           Case{1, 32, 32, {8, 12, 12}, three, one, two},
           Case{1, 64, 64, {6, 5, 7}, three, one, {4, 4, 4}},
           Case{1, 16, 16, {1, 2, 1}, three, one, {4, 4, 4}},  // most taps see padding only
           Case{3, 72, 8, {3, 3, 3}, three, one, one},
       }) {
    SCOPED_TRACE(text_of(c));
    const Problem p = problem_of(c);
    ASSERT_TRUE(can_sum_weight_gradient(p.x, p.gradient));
    const at::Tensor wanted = oracle(p);

    const at::Tensor found = weight_gradient(p.x, p.gradient, p.weight.sizes(), p.how);

    EXPECT_LE((found.to(at::kDouble) - wanted).abs().max().item<double>(),
              3e-6 * wanted.abs().max().item<double>());
  }
}

TEST(WeightGradient, DoesNotDependOnTheNumberOfThreads) {
  const Problem p = problem_of({2, 16, 32, {8, 20, 24}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = weight_gradient(p.x, p.gradient, p.weight.sizes(), p.how);
  at::set_num_threads(2);
  const at::Tensor two = weight_gradient(p.x, p.gradient, p.weight.sizes(), p.how);
  at::set_num_threads(before);

  EXPECT_TRUE(at::equal(one, two));
}

TEST(WeightGradient, WantsChannelsLastFloatsAndAMultipleOfEightChannels) {
  const at::Tensor x = channels_last(at::randn({1, 8, 4, 4, 4}));
  const at::Tensor odd = channels_last(at::randn({1, 5, 4, 4, 4}));
  EXPECT_TRUE(can_sum_weight_gradient(x, odd));
  EXPECT_TRUE(can_sum_weight_gradient(odd, x));
  EXPECT_FALSE(can_sum_weight_gradient(odd, odd));
  EXPECT_FALSE(can_sum_weight_gradient(x.contiguous(), x));
  EXPECT_FALSE(can_sum_weight_gradient(x.to(at::kDouble), x));
}

}  // namespace
}  // namespace hepar::nn
