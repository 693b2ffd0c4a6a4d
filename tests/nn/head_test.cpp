#include "hepar/nn/head.h"

#include <gtest/gtest.h>
#include <torch/optim/adam.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <string>

#include "finite_differences.h"
#include "hepar/core/error.h"
#include "hepar/core/json.h"
#include "hepar/nn/staging_network.h"

namespace hepar {
namespace {

Json expected() { return read_json(std::string(HEPAR_TEST_VECTORS) + "/staging_heads.json"); }

/// The formulas of tests/oracle/staging_heads.py.
constexpr std::int64_t kSamples = 9;
at::Tensor logits_of(std::int64_t width, double phase) {
  const auto i = torch::arange(kSamples * width, torch::kDouble);
  return (3 * torch::sin(0.9 * i + phase)).view({kSamples, width});
}
at::Tensor stages() { return torch::arange(kSamples, torch::kLong).remainder(4); }

at::Tensor values(const Json& json, std::int64_t width = 1) {
  const auto list = json.get<std::vector<double>>();
  const auto tensor = torch::tensor(list, torch::kDouble);
  return width == 1 ? tensor : tensor.view({-1, width});
}

std::shared_ptr<Head> head_of(const std::string& name, HeadConfig config = {}) {
  config.name = name;
  return make_head({.config = config, .features = 6, .stage_prior = {0.4, 0.3, 0.1, 0.2}});
}

void expect_close(const at::Tensor& found, const at::Tensor& wanted, double tolerance = 1e-9) {
  ASSERT_EQ(found.sizes(), wanted.sizes());
  EXPECT_LE((found - wanted).abs().max().item<double>(), tolerance);
}

TEST(Heads, CrossEntropiesEqualTorchs) {
  const Json wanted = expected();

  expect_close(head_of("ce")->loss(logits_of(4, 0.4), stages()).numerator, values(wanted["ce"]));
  expect_close(head_of("bce")->loss(logits_of(2, 0.1), stages()).numerator, values(wanted["bce"]));
  for (const std::string kind : {"squared", "smooth_l1"}) {
    expect_close(head_of("reg", {.reg_loss = kind})->loss(logits_of(1, 0.5), stages()).numerator,
                 values(wanted["reg"][kind]));
  }
}

TEST(Heads, SoftLabelsAreSords) {
  const Json rows = expected().at("ord");
  ASSERT_EQ(rows.size(), 4U);
  for (const Json& row : rows) {
    const HeadConfig config{.ord_distance = row.at("distance"), .ord_scale = row.at("scale")};
    const auto head = head_of("ord", config);
    expect_close(head->loss(logits_of(4, 0.4), stages()).numerator, values(row.at("losses")));

    // The gradient is softmax(z) − t.
    auto zeros = torch::zeros({4, 4}, torch::kDouble).requires_grad_();
    head->loss(zeros, torch::arange(4)).numerator.sum().backward();
    for (std::int64_t s = 0; s < 4; ++s) {
      expect_close(0.25 - zeros.grad()[s], values(row.at("targets").at(s)), 6e-7);
    }
  }
}

TEST(Heads, SoftLabelsOfTheReference) {
  // staging.md §2, as printed there.
  const auto target = [](const std::string& distance, double scale, std::int64_t stage) {
    auto z = torch::zeros({1, 4}, torch::kDouble).requires_grad_();
    head_of("ord", {.ord_distance = distance, .ord_scale = scale})
        ->loss(z, torch::tensor({stage}))
        .numerator.sum()
        .backward();
    return (0.25 - z.grad()[0]).detach();
  };
  const auto row = [](std::vector<double> v) { return torch::tensor(v, torch::kDouble); };

  expect_close(target("abs", 1, 0), row({.643914, .236883, .087144, .032059}), 6e-7);
  expect_close(target("abs", 1, 1), row({.196612, .534447, .196612, .072329}), 6e-7);
  expect_close(target("abs", 1, 3), row({.032059, .087144, .236883, .643914}), 6e-7);
  expect_close(target("abs", 2, 0), row({.864955, .117059, .015842, .002144}), 6e-7);
  expect_close(target("abs", 2, 1), row({.104994, .775803, .104994, .014209}), 6e-7);
  expect_close(target("squared", 1, 0), row({.721335, .265364, .013212, .000089}), 6e-7);
  expect_close(target("squared", 1, 1), row({.209729, .570101, .209729, .010442}), 6e-7);
}

TEST(Heads, CoralEqualsItsAuthorsCode) {
  const Json wanted = expected().at("coral");
  const auto head = head_of("coral");
  head->preset_bias();
  const auto z = logits_of(3, 0.2);

  const SampleLoss loss = head->loss(z, stages());
  const StageScores scores = head->decode(z);

  expect_close(loss.numerator, values(wanted["losses"]));
  EXPECT_NEAR((loss.numerator.sum() / loss.denominator.sum()).item<double>(),
              wanted["loss"].get<double>(), 1e-9);
  const auto at_least = values(wanted["at_least"], 3);
  expect_close(scores.q4, at_least.select(1, 2));
  expect_close(scores.q1, 1 - at_least.select(1, 0));
  expect_close(head->class_bias().to(torch::kDouble), values(wanted["bias"]), 1e-7);
  // These logits are not in order everywhere; where they are, calls agree and nothing is flagged.
  const auto labels = torch::tensor(wanted["labels"].get<std::vector<std::int64_t>>());
  const auto ordered = scores.flagged.logical_not();
  ASSERT_GT(ordered.sum().item<std::int64_t>(), 0);
  ASSERT_LT(ordered.sum().item<std::int64_t>(), kSamples);
  EXPECT_TRUE(
      torch::equal(head->call(scores).stage.masked_select(ordered), labels.masked_select(ordered)));
}

TEST(Heads, CornEqualsItsAuthorsCode) {
  const Json wanted = expected().at("corn");
  const auto head = head_of("corn");
  const auto z = logits_of(3, 0.7);

  const SampleLoss loss = head->loss(z, stages());
  const StageScores scores = head->decode(z);

  const auto mean = [&](const at::Tensor& weight) {
    return ((loss.numerator * weight).sum() / (loss.denominator * weight).sum()).item<double>();
  };
  auto weight = torch::ones({kSamples}, torch::kDouble);
  EXPECT_NEAR(mean(weight), wanted["loss"].get<double>(), 1e-9);
  weight.slice(0, 0, 4) = 2;  // a weight of 2 is the sample twice
  EXPECT_NEAR(mean(weight), wanted["loss_first_four_twice"].get<double>(), 1e-9);
  expect_close(loss.denominator, stages().add(1).clamp_max(3).to(torch::kDouble));
  const auto at_least = values(wanted["at_least"], 3);
  expect_close(scores.q4, at_least.select(1, 2));
  expect_close(scores.q1, 1 - at_least.select(1, 0));
  EXPECT_FALSE(scores.flagged.any().item<bool>());
  EXPECT_EQ(
      head->call(scores).stage.sum().item<std::int64_t>(),
      torch::tensor(wanted["labels"].get<std::vector<std::int64_t>>()).sum().item<std::int64_t>());
}

TEST(Heads, BceSplitsTheRestByThePrior) {
  const auto head = head_of("bce");  // S2 : S3 = 3 : 1
  const auto q = torch::tensor({{0.5, 0.1}, {0.9, 0.6}, {0.2, 0.3}, {0.2, 0.7}}, torch::kDouble);

  const StageScores scores = head->decode(torch::logit(q));

  expect_close(scores.probabilities[0], torch::tensor({0.1, 0.3, 0.1, 0.5}, torch::kDouble));
  expect_close(scores.probabilities[1], torch::tensor({0.4, 0.0, 0.0, 0.6}, torch::kDouble));
  EXPECT_TRUE(torch::equal(scores.flagged, torch::tensor({false, true, false, false})));
  expect_close(scores.q4, q.select(1, 0));
  EXPECT_TRUE(torch::equal(head->call(scores).stage, torch::tensor({3, 3, 1, 0}, torch::kLong)));
  EXPECT_FALSE(head->four_columns().empty());
}

TEST(Heads, RegCutsBetweenTheStages) {
  const auto head = head_of("reg");
  const auto y = torch::tensor({{-0.4}, {0.6}, {1.7}, {2.6}}, torch::kDouble);

  const StageScores scores = head->decode(y);

  expect_close(scores.q4, torch::sigmoid((y.select(1, 0) - 2.5) / 0.5));
  expect_close(scores.q1, torch::sigmoid((0.5 - y.select(1, 0)) / 0.5));
  const StageCalls calls = head->call(scores);
  EXPECT_TRUE(torch::equal(calls.stage, torch::tensor({0, 1, 2, 3}, torch::kLong)));
  EXPECT_TRUE(torch::equal(calls.cirrhosis, torch::tensor({false, false, false, true})));
  EXPECT_TRUE(torch::equal(calls.early, torch::tensor({true, false, false, false})));
  EXPECT_TRUE(head->averages_logits());
}

class EveryHead : public testing::TestWithParam<std::string> {};

TEST_P(EveryHead, LossHasTheGradientOfFiniteDifferences) {
  const auto head = head_of(GetParam());

  const double error = test::gradient_error(
      [&](const at::Tensor& z) {
        const SampleLoss loss = head->loss(z, stages());
        return loss.numerator.sum() / loss.denominator.sum();
      },
      logits_of(head->logits(), 0.3));

  EXPECT_LE(error, 1e-7);
}

TEST_P(EveryHead, ScoresAreProbabilities) {
  const auto head = head_of(GetParam());

  const StageScores scores = head->decode(2 * logits_of(head->logits(), 0.3));

  ASSERT_EQ(scores.probabilities.sizes().vec(), (std::vector<std::int64_t>{kSamples, 4}));
  expect_close(scores.probabilities.sum(1), torch::ones({kSamples}, torch::kDouble), 1e-12);
  for (const at::Tensor& p : {scores.probabilities, scores.q4, scores.q1}) {
    EXPECT_GE(p.min().item<double>(), 0);
    EXPECT_LE(p.max().item<double>(), 1);
  }
  // Where nothing is flagged the four columns say what the two scores say.
  const auto sound = scores.flagged.logical_not();
  const auto apart = (scores.probabilities.select(1, 3) - scores.q4).abs() +
                     (scores.probabilities.select(1, 0) - scores.q1).abs();
  EXPECT_LE(apart.masked_select(sound).max().item<double>(), 1e-12);
  const auto stage = head->call(scores).stage;
  EXPECT_EQ(stage.scalar_type(), torch::kLong);
  EXPECT_GE(stage.min().item<std::int64_t>(), 0);
  EXPECT_LE(stage.max().item<std::int64_t>(), 3);
}

TEST_P(EveryHead, LearnsFourStages) {
  const auto head = head_of(GetParam());
  head->preset_bias();
  // A stage is the number of first features that are on, so that any head can draw its lines.
  const auto stage = torch::arange(8, torch::kLong).remainder(4);
  auto x = torch::zeros({8, 6});
  for (std::int64_t i = 0; i < 8; ++i) {
    x[i].slice(0, 0, i % 4) = 1;
    x[i][3 + i % 3] = 0.1;
  }
  torch::optim::Adam adam(head->parameters(), torch::optim::AdamOptions(0.1));

  for (int step = 0; step < 200; ++step) {
    adam.zero_grad();
    const SampleLoss loss = head->loss(head->forward(x), stage);
    (loss.numerator.sum() / loss.denominator.sum()).backward();
    adam.step();
  }

  const StageCalls calls = head->call(head->decode(head->forward(x)));
  EXPECT_TRUE(torch::equal(calls.cirrhosis, stage.eq(3))) << calls.cirrhosis;
  EXPECT_TRUE(torch::equal(calls.early, stage.eq(0))) << calls.early;
  if (GetParam() != "bce") {  // which learns nothing between S2 and S3
    EXPECT_TRUE(torch::equal(calls.stage, stage)) << calls.stage;
  }
}

TEST_P(EveryHead, TakesOneClassAndNoSamples) {
  const auto head = head_of(GetParam());
  auto z = torch::zeros({3, head->logits()}).requires_grad_();

  head->loss(z, torch::full({3}, 2, torch::kLong)).numerator.sum().backward();

  EXPECT_TRUE(torch::isfinite(z.grad()).all().item<bool>());
  const auto none = torch::zeros({0}, torch::kLong);
  EXPECT_EQ(head->loss(z.slice(0, 0, 0), none).numerator.sum().item<double>(), 0);
  EXPECT_EQ(head->decode(z.detach().slice(0, 0, 0)).probabilities.size(0), 0);
}

TEST_P(EveryHead, RefusesWhatIsNoStage) {
  const auto head = head_of(GetParam());
  const auto z = torch::zeros({2, head->logits()});

  EXPECT_THROW((void)head->loss(z, torch::tensor({0, 4}, torch::kLong)), DataError);
  EXPECT_THROW((void)head->loss(z, torch::tensor({-1, 0}, torch::kLong)), DataError);
  EXPECT_THROW((void)head->loss(z, torch::tensor({0, 1, 2}, torch::kLong)), ShapeError);
  EXPECT_THROW((void)head->loss(torch::zeros({2, 7}), torch::tensor({0, 1}, torch::kLong)),
               ShapeError);
}

TEST_P(EveryHead, SplitsOfTheBatchGiveTheWholesGradient) {
  const auto head = head_of(GetParam());
  const StagingLoss loss({}, *head);
  const auto weight = torch::tensor({1., .5, 2., 1., 0., 3., 1., 1., .25}, torch::kDouble);
  auto whole = logits_of(head->logits(), 0.3).requires_grad_();
  const SampleLoss each = head->loss(whole, stages());
  const auto wanted = (each.numerator * weight).sum() / (each.denominator * weight).sum();
  wanted.backward();

  auto split = whole.detach().clone().requires_grad_();
  std::vector<StagingLoss::Terms> terms;
  std::vector<double> totals(StagingLoss::kSums, 0.0);
  for (const auto& [from, to] : {std::pair{0, 5}, {5, 6}, {6, 9}}) {
    terms.push_back(
        loss.forward({.features = {}, .logits = split.slice(0, from, to), .semantic = {}},
                     {.stage = stages().slice(0, from, to),
                      .weight = weight.slice(0, from, to),
                      .mask = {},
                      .mask_weight = {}}));
    for (std::size_t i = 0; i < totals.size(); ++i) {
      totals[i] += terms.back().sums[i];
    }
  }
  for (const auto& term : terms) {
    loss.surrogate(term, totals, 0).backward();
  }

  EXPECT_NEAR(loss.value(totals, 0).loss, wanted.item<double>(), 1e-12);
  expect_close(split.grad(), whole.grad(), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Table, EveryHead, testing::ValuesIn(head_names()),
                         [](const auto& row) { return row.param; });

TEST(Heads, AreChosenByName) {
  EXPECT_EQ(head_names(), (std::vector<std::string>{"ce", "bce", "reg", "ord", "coral", "corn"}));
  EXPECT_THROW(head_of("softmax"), ConfigError);
  EXPECT_THROW(head_of("ord", {.ord_distance = "cubed"}), ConfigError);
  EXPECT_THROW(head_of("reg", {.reg_loss = "l1"}), ConfigError);
  HeadConfig config;
  ConfigSchema schema;
  config.declare(schema);
  schema.read_yaml_text("head: ord\nheads:\n  ord_scale: 2\n", "text");
  EXPECT_EQ(config.name, "ord");
  EXPECT_EQ(config.ord_scale, 2);
  EXPECT_THROW(schema.set("head=softmax"), ConfigError);
}

}  // namespace
}  // namespace hepar
