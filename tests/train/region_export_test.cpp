#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cmath>

#include "hepar/train/predictor.h"

namespace hepar {
namespace {

TEST(Export, ConfidenceIsTheTopClassesProbability) {
  const at::Tensor logits = at::sin(at::arange(3 * 60, at::kFloat) * 2.3F).view({3, 3, 4, 5}) * 4;
  std::vector<float> confidence;

  const auto labels = export_labels(logits, {3, 4, 5}, {}, 2, {.confidence = &confidence});

  const at::Tensor p = at::softmax(logits, 0).view({3, 60});
  ASSERT_EQ(confidence.size(), 60U);
  for (std::int64_t i = 0; i < 60; ++i) {
    EXPECT_EQ(labels[static_cast<std::size_t>(i)], p.select(1, i).argmax().item<std::int64_t>());
    EXPECT_NEAR(confidence[static_cast<std::size_t>(i)], p.select(1, i).max().item<float>(), 1e-5);
  }
}

TEST(Export, RegionsAreWrittenInOrderAboveOneHalf) {
  const std::vector<Region> regions{{{1, 2}, 1}, {{2}, 2}};
  const at::Tensor logits =
      at::tensor({-1., 1., 3., -2., -3., -1., 2., 4.}, at::kFloat).view({2, 1, 1, 4});
  std::vector<float> confidence;

  const auto labels =
      export_labels(logits, {1, 1, 4}, {}, 1, {.confidence = &confidence, .regions = regions});

  EXPECT_EQ(labels, (std::vector<std::int16_t>{0, 1, 2, 2}));
  const std::vector<double> least{1, 1, 2, 2};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(confidence[i], 1 / (1 + std::exp(-least[i])), 1e-6);
  }
}

}  // namespace
}  // namespace hepar
