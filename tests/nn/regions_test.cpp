#include "hepar/nn/regions.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "hepar/core/error.h"
#include "hepar/nn/segmentation_loss.h"

namespace hepar {
namespace {

const std::vector<std::string> kClasses{"background", "liver", "lesion"};

std::vector<Region> both() { return parse_regions({"liver+lesion", "lesion"}, kClasses); }

at::Tensor row(const std::vector<std::int64_t>& labels) {
  return at::tensor(labels, at::kLong).view({1, 1, 1, -1});
}

TEST(Regions, AreSumsOfClasses) {
  ASSERT_EQ(both().size(), 2U);
  EXPECT_EQ(both()[0].labels, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(both()[0].writes, 1);
  EXPECT_EQ(both()[1].writes, 2);
  for (const char* text : {"liver+spleen", "background", "", "liver+"}) {
    EXPECT_THROW(parse_regions({text}, kClasses), ConfigError) << text;
  }
  const at::Tensor inside = region_targets(row({0, 1, 2, 3}), both(), at::zeros({1}));
  EXPECT_TRUE(at::equal(inside.view({2, 4}),
                        at::tensor({0., 1., 1., 0., 0., 0., 1., 0.}, at::kFloat).view({2, 4})));
}

TEST(Regions, AreWrittenInOrder) {
  const at::Tensor logits =
      at::tensor({-1., 1., 1., -1., -1., -1., 2., 2.}, at::kFloat).view({1, 2, 1, 1, 4});

  EXPECT_TRUE(at::equal(decode_labels(logits, both()), row({0, 1, 2, 2})));
  EXPECT_TRUE(at::equal(decode_labels(logits, {}), row({0, 0, 1, 1})));
}

/// Value and gradient of the loss of a batch cut into micro-batches.
struct Found {
  SegmentationLoss::Value value;
  at::Tensor gradient;
};

Found run(const SegmentationLoss& loss, const at::Tensor& logits, const at::Tensor& labels,
          const std::vector<std::int64_t>& parts) {
  const at::Tensor x = logits.clone().requires_grad_();
  std::vector<SegmentationLoss::Terms> terms;
  std::vector<double> totals, denominators;
  std::int64_t first = 0;
  for (const std::int64_t n : parts) {
    terms.push_back(loss.forward({x.narrow(0, first, n)}, labels.narrow(0, first, n)));
    totals.resize(terms.back().sums().size(), 0);
    for (std::size_t i = 0; i < totals.size(); ++i) {
      totals[i] += terms.back().sums()[i];
    }
    if (!loss.has_batch_dice()) {
      const auto more = loss.denominators({x.narrow(0, first, n)}, labels.narrow(0, first, n));
      denominators.resize(more.size());
      std::transform(more.begin(), more.end(), denominators.begin(), denominators.begin(),
                     std::plus<>());
    }
    first += n;
  }
  for (const auto& term : terms) {
    loss.surrogate(term, loss.has_batch_dice() ? totals : denominators).backward();
  }
  return {loss.value(totals), x.grad()};
}

class RegionLoss : public testing::TestWithParam<bool> {
 protected:
  RegionLoss() {
    options.classes = 3;
    options.batch_dice = GetParam();
    options.level_weights = {1};
    options.ignore_label = 3;
    options.regions = both();
    logits = at::sin(at::arange(3 * 2 * 4, at::kFloat) * 1.7F).view({3, 2, 1, 1, 4});
    labels = at::tensor({0, 1, 2, 3, 1, 1, 2, 0, 3, 3, 0, 2}, at::kLong).view({3, 1, 1, 4});
  }
  SegmentationLoss::Options options;
  at::Tensor logits, labels;
};

TEST_P(RegionLoss, IsBinaryCrossEntropyAndDiceOfEveryRegion) {
  const at::Tensor x = logits.clone().requires_grad_();
  const at::Tensor g = region_targets(labels, both(), x);
  const at::Tensor counted = labels.ne(3).unsqueeze(1).to(at::kFloat);
  const at::Tensor p = at::sigmoid(x);
  const at::Tensor entropy = -(g * p.log() + (1 - g) * (1 - p).log()) * counted;
  const at::Tensor ce = entropy.sum() / (counted.sum() * 2);
  const std::vector<std::int64_t> over =
      GetParam() ? std::vector<std::int64_t>{0, 2, 3, 4} : std::vector<std::int64_t>{2, 3, 4};
  const at::Tensor dice =
      (2 * (p * g).sum(over) + 1e-5) / (g.sum(over) + (p * counted).sum(over) + 1e-5);
  const at::Tensor wanted = ce - dice.mean();
  wanted.backward();

  for (const std::vector<std::int64_t>& parts : {std::vector<std::int64_t>{3}, {1, 1, 1}, {1, 2}}) {
    const Found found = run(SegmentationLoss(options), logits, labels, parts);
    EXPECT_NEAR(found.value.loss, wanted.item<double>(), 1e-6);
    EXPECT_NEAR(found.value.cross_entropy, ce.item<double>(), 1e-6);
    EXPECT_TRUE(at::allclose(found.gradient, x.grad(), 1e-5, 1e-7));
  }
}

TEST_P(RegionLoss, IgnoredVoxelsChangeNothing) {
  at::Tensor other = logits.clone();
  other.masked_fill_(labels.eq(3).unsqueeze(1).expand_as(other), 5.0);

  const Found found = run(SegmentationLoss(options), other, labels, {3});

  EXPECT_EQ(found.value.loss, run(SegmentationLoss(options), logits, labels, {3}).value.loss);
  EXPECT_EQ(found.gradient.masked_select(labels.eq(3).unsqueeze(1).expand_as(other))
                .abs()
                .sum()
                .item<double>(),
            0);
}

TEST_P(RegionLoss, RefusesOtherShapesAndWeights) {
  EXPECT_THROW(SegmentationLoss(options).forward({at::zeros({3, 3, 1, 1, 4})}, labels), ShapeError);
  options.config.class_weights = {1, 2, 3};
  EXPECT_THROW(SegmentationLoss{options}, ConfigError);
  options.config.class_weights = {1, 2};
  EXPECT_NO_THROW(SegmentationLoss{options});
}

INSTANTIATE_TEST_SUITE_P(BatchDice, RegionLoss, testing::Bool());

}  // namespace
}  // namespace hepar
