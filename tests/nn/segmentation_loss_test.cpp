#include "hepar/nn/segmentation_loss.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <functional>
#include <string>

#include "hepar/core/error.h"
#include "hepar/core/json.h"

namespace hepar {
namespace {

using Shape = std::vector<std::int64_t>;

/// The formulas of tests/oracle/segmentation_loss.py.
at::Tensor logits_of(const Shape& shape, double phase) {
  const auto i = torch::arange(c10::multiply_integers(shape), torch::kDouble);
  return (2.0 * torch::sin(0.61 * i + phase)).to(torch::kFloat).view(shape);
}
at::Tensor labels_of(const Shape& shape, std::int64_t classes, std::int64_t ignore_every) {
  const auto i = torch::arange(c10::multiply_integers(shape), torch::kLong);
  auto labels = ((i * 7).div(5, "floor") + i.div(11, "floor")).remainder(classes);
  if (ignore_every > 0) {
    labels = labels.masked_fill(i.remainder(ignore_every).eq(0), -1);
  }
  return labels.view(shape);
}

SegmentationLoss::Options options_from(const Json& expected) {
  SegmentationLoss::Options options;
  options.classes = expected.at("classes");
  options.batch_dice = expected.at("batch_dice");
  options.level_weights = expected.at("level_weights").get<std::vector<double>>();
  options.config.class_weights = expected.at("class_weights").get<std::vector<double>>();
  options.config.dice_smooth = expected.at("smooth");
  options.config.ce_weight = expected.at("ce_weight");
  options.config.dice_weight = expected.at("dice_weight");
  return options;
}

TEST(SegmentationLoss, EqualsTheDefinition) {
  const Json cases = read_json(std::string(HEPAR_TEST_VECTORS) + "/segmentation_loss.json");
  ASSERT_EQ(cases.size(), 7U);
  for (const Json& expected : cases) {
    SCOPED_TRACE(expected.at("name"));
    const SegmentationLoss loss(options_from(expected));
    const auto shape = expected.at("shape").get<Shape>();
    std::vector<at::Tensor> logits;
    for (const Json& level : expected.at("levels")) {
      const auto size = level.get<Shape>();
      logits.push_back(logits_of({shape[0], expected.at("classes"), size[0], size[1], size[2]},
                                 0.5 * static_cast<double>(logits.size())));
    }

    const auto terms =
        loss.forward(logits, labels_of(shape, expected.at("classes"), expected.at("ignore_every")));
    const auto value = loss.value(terms.sums());

    EXPECT_NEAR(value.cross_entropy, expected.at("cross_entropy").get<double>(), 1e-6);
    EXPECT_NEAR(value.dice_loss, -expected.at("dice").get<double>(), 1e-6);
    EXPECT_NEAR(value.loss, expected.at("loss").get<double>(), 2e-6);
  }
}

/// Dice + cross-entropy of one level on the whole batch, differentiated by torch: what the sums of
/// any split must reproduce.
at::Tensor plain_loss(const at::Tensor& logits, const at::Tensor& labels,
                      const SegmentationLoss::Options& options) {
  const auto counted = labels.ge(0);
  const auto weight = options.config.class_weights.empty()
                          ? at::Tensor()
                          : torch::tensor(options.config.class_weights, logits.options());
  const auto ce = at::cross_entropy_loss(logits, labels, weight, at::Reduction::Mean, -1);
  const auto p = logits.softmax(1) * counted.unsqueeze(1);
  const auto g = torch::one_hot(labels.clamp_min(0), options.classes)
                     .permute({0, 4, 1, 2, 3})
                     .mul(counted.unsqueeze(1))
                     .to(logits.scalar_type());
  const Shape axes = options.batch_dice ? Shape{0, 2, 3, 4} : Shape{2, 3, 4};
  const double smooth = options.config.dice_smooth;
  const auto dice =
      (2 * (p * g).sum(axes) + smooth) / (p.sum(axes) + g.sum(axes) + smooth).clamp_min(1e-8);
  const auto foreground = dice.narrow(dice.dim() - 1, 1, options.classes - 1);
  return options.config.ce_weight * ce - options.config.dice_weight * foreground.mean();
}

struct Split {
  bool batch_dice;
  bool ignored;
  bool weighted;
};

class UnevenSplit : public testing::TestWithParam<Split> {};

TEST_P(UnevenSplit, GivesTheWholeBatchsGradient) {
  SegmentationLoss::Options options;
  options.classes = 3;
  options.batch_dice = GetParam().batch_dice;
  options.level_weights = {2.0 / 3, 1.0 / 3, 0.0};
  if (GetParam().weighted) {
    options.config.class_weights = {0.3, 1.0, 2.0};
  }
  const std::vector<Shape> grids{{4, 8, 6}, {4, 4, 3}, {2, 2, 1}};
  auto labels = labels_of({5, 4, 8, 6}, 3, GetParam().ignored ? 4 : 0);
  if (GetParam().ignored) {
    labels[2] = -1;  // one sample with nothing to learn from
    labels[4].slice(1, 0, 5) = -1;
  }
  std::vector<at::Tensor> whole;
  for (std::size_t level = 0; level < grids.size(); ++level) {
    const Shape& g = grids[level];
    whole.push_back(
        logits_of({5, 3, g[0], g[1], g[2]}, static_cast<double>(level)).to(torch::kDouble));
    whole.back().requires_grad_();
  }
  const auto half = labels.slice(2, 1, {}, 2).slice(3, 1, {}, 2);
  const auto expected = 2.0 / 3 * plain_loss(whole[0], labels, options) +
                        1.0 / 3 * plain_loss(whole[1], half, options);
  expected.backward();

  const SegmentationLoss loss(options);
  std::vector<SegmentationLoss::Terms> terms;
  std::vector<std::vector<at::Tensor>> parts;
  std::vector<double> totals, denominators;
  for (const auto& [start, end] : {std::pair{0, 3}, std::pair{3, 4}, std::pair{4, 5}}) {
    parts.emplace_back();
    for (const auto& level : whole) {
      parts.back().push_back(
          level.detach().slice(0, start, end).to(torch::kFloat, false, true).requires_grad_());
    }
    terms.push_back(loss.forward(parts.back(), labels.slice(0, start, end)));
    totals.resize(terms.back().sums().size());
    for (std::size_t i = 0; i < totals.size(); ++i) {
      totals[i] += terms.back().sums()[i];
    }
    if (!options.batch_dice) {
      const auto more = loss.denominators(parts.back(), labels.slice(0, start, end));
      denominators.resize(more.size());
      std::transform(more.begin(), more.end(), denominators.begin(), denominators.begin(),
                     std::plus<>());
    }
  }
  for (const auto& term : terms) {
    loss.surrogate(term, options.batch_dice ? totals : denominators).backward();
  }

  EXPECT_NEAR(loss.value(totals).loss, expected.item<double>(), 1e-6);
  for (std::size_t level = 0; level < 2; ++level) {
    std::vector<at::Tensor> gradients;
    for (const auto& part : parts) {
      gradients.push_back(part[level].grad());
    }
    const auto found = torch::cat(gradients);
    const auto wanted = whole[level].grad();
    const double error = (found - wanted).norm().item<double>() / wanted.norm().item<double>();
    EXPECT_LE(error, 1e-6) << "level " << level;
  }
  EXPECT_FALSE(parts[0][2].grad().defined()) << "a level of weight 0 is not computed";
}

INSTANTIATE_TEST_SUITE_P(SegmentationLoss, UnevenSplit,
                         testing::Values(Split{false, false, false}, Split{true, false, false},
                                         Split{false, true, true}, Split{true, true, true}));

TEST(SegmentationLoss, HasZeroGradientWhereIgnored) {
  SegmentationLoss::Options options;
  options.level_weights = {1.0};
  options.batch_dice = true;
  const SegmentationLoss loss(options);
  auto logits = logits_of({1, 2, 2, 3, 4}, 0).requires_grad_();
  const auto labels = labels_of({1, 2, 3, 4}, 2, 3);

  const auto terms = loss.forward({logits}, labels);
  loss.surrogate(terms, terms.sums()).backward();

  const auto ignored = labels.eq(-1).unsqueeze(1).expand_as(logits);
  EXPECT_EQ(logits.grad().masked_select(ignored).abs().max().item<double>(), 0);
  EXPECT_GT(logits.grad().abs().max().item<double>(), 0);
}

TEST(SegmentationLoss, StaysFiniteWhenEverythingIsIgnored) {
  SegmentationLoss::Options options;
  options.level_weights = {1.0};
  for (const bool batch_dice : {false, true}) {
    options.batch_dice = batch_dice;
    const SegmentationLoss loss(options);
    auto logits = logits_of({2, 2, 2, 3, 4}, 0).requires_grad_();

    const auto terms = loss.forward({logits}, torch::full({2, 2, 3, 4}, -1, torch::kLong));
    loss.surrogate(terms, terms.sums()).backward();

    EXPECT_TRUE(std::isfinite(loss.value(terms.sums()).loss));
    EXPECT_EQ(logits.grad().abs().max().item<double>(), 0);
  }
}

TEST(SegmentationLoss, RefusesLabelsOutsideTheClasses) {
  SegmentationLoss::Options options;
  options.level_weights = {1.0};
  const SegmentationLoss loss(options);
  auto labels = torch::zeros({1, 2, 2, 2}, torch::kLong);
  labels[0][1][0][1] = 2;

  EXPECT_THROW(static_cast<void>(loss.forward({torch::zeros({1, 2, 2, 2, 2})}, labels)), DataError);
  EXPECT_THROW(static_cast<void>(loss.forward({torch::zeros({1, 3, 2, 2, 2})}, labels)),
               ShapeError);
  EXPECT_THROW(static_cast<void>(loss.forward({}, labels)), ShapeError);
}

TEST(SegmentationLoss, RefusesAWrongNumberOfClassWeights) {
  SegmentationLoss::Options options;
  options.level_weights = {1.0};
  options.config.class_weights = {1.0, 2.0, 3.0};

  EXPECT_THROW(SegmentationLoss{options}, ConfigError);
}

TEST(DeepSupervisionWeights, HalveAndDropTheLast) {
  const auto five = deep_supervision_weights(5);

  ASSERT_EQ(five.size(), 5U);
  EXPECT_NEAR(five[0], 8.0 / 15, 1e-12);
  EXPECT_NEAR(five[3], 1.0 / 15, 1e-12);
  EXPECT_EQ(five[4], 0);
  EXPECT_EQ(deep_supervision_weights(1), std::vector<double>{1.0});
}

}  // namespace
}  // namespace hepar
