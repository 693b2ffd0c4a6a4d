#include "hepar/nn/csl_loss.h"

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <string>

#include "finite_differences.h"
#include "hepar/core/error.h"
#include "hepar/nn/class_activation.h"
#include "hepar/nn/staging_network.h"

namespace hepar {
namespace {

constexpr auto kDouble = torch::kDouble;

at::Tensor wave(const std::vector<std::int64_t>& shape, double phase) {
  return torch::sin(1.3 * torch::arange(c10::multiply_integers(shape), kDouble) + phase)
      .view(shape);
}

std::shared_ptr<Head> head_of(const std::string& name, std::int64_t features = 3) {
  auto head = make_head({.config = {.name = name}, .features = features});
  head->to(kDouble);
  const torch::NoGradGuard no_grad;
  for (auto& parameter : head->parameters()) {
    parameter.copy_(wave(parameter.sizes().vec(), 0.2));
  }
  return head;
}

double scalar(const at::Tensor& x) { return x.item<double>(); }

/// Pooled, classified, compared with the mask: what a network does behind its features.
CslLoss::Sums run(const CslConfig& config, const Head& head, const at::Tensor& features,
                  const at::Tensor& stage, const at::Tensor& mask,
                  const at::Tensor& mask_weight = {}, const at::Tensor& semantic = {}) {
  const at::Tensor logits = head.forward(features.mean({2, 3, 4}));
  return CslLoss(config, head)
      .forward({.features = features,
                .logits = logits,
                .stage = stage,
                .mask = mask,
                .mask_weight = mask_weight,
                .semantic = semantic},
               head);
}

TEST(ActivationMaps, AverageToTheLogits) {
  for (const std::string& name : head_names()) {
    const auto head = head_of(name, 5);
    const auto features = wave({2, 5, 3, 2, 4}, 0.5).relu();

    const auto maps = class_activation_maps(features, head->class_weight());

    const auto logits = maps.mean({2, 3, 4}) + head->class_bias();
    EXPECT_LE(scalar((logits - head->forward(features.mean({2, 3, 4}))).abs().max()), 1e-14)
        << name;
  }
}

TEST(ActivationMaps, AreGradCamAndHiResCamUpToTheirScale) {
  const auto head = head_of("ce", 5);
  const auto features = wave({1, 5, 3, 2, 4}, 0.5).relu().requires_grad_();
  const auto maps = class_activation_maps(features, head->class_weight()).detach();
  constexpr double kVoxels = 3 * 2 * 4;

  for (std::int64_t c = 0; c < 4; ++c) {
    const auto logit = head->forward(features.mean({2, 3, 4}))[0][c];
    const auto gradient = torch::autograd::grad({logit}, {features})[0];
    const auto hires = (gradient * features).sum(1)[0];
    const auto grad_cam = (gradient.mean({2, 3, 4}, true) * features).sum(1)[0];

    EXPECT_LE(scalar((hires * kVoxels - maps[0][c]).abs().max()), 1e-13);
    EXPECT_LE(scalar((grad_cam * kVoxels - maps[0][c]).abs().max()), 1e-13);
  }
}

TEST(ActivationMaps, KeepTheirDigitsUnderAutocast) {
  const auto features = torch::rand({1, 8, 4, 4, 4}), weight = torch::randn({4, 8});
  const auto wanted = class_activation_maps(features, weight);
  const auto with_autocast = [&](const auto& body) {
    const bool before = at::autocast::is_autocast_enabled(at::kCPU);
    at::autocast::set_autocast_enabled(at::kCPU, true);
    auto result = body();
    at::autocast::set_autocast_enabled(at::kCPU, before);
    at::autocast::clear_cache();
    return result;
  };

  const auto found = with_autocast([&] { return class_activation_maps(features, weight); });
  const auto narrow = with_autocast([&] { return at::matmul(weight, features.flatten(2)); });

  EXPECT_TRUE(torch::equal(found, wanted));
  EXPECT_EQ(narrow.scalar_type(), torch::kBFloat16);  // the guard was needed
}

TEST(MaskOnGrid, AveragesThresholdsOrSamples) {
  auto mask = torch::zeros({1, 1, 2, 4, 4});
  mask.index_put_({0, 0, 0, torch::indexing::Slice(0, 2), 0}, 1);
  mask.index_put_(
      {0, 0, torch::indexing::Slice(), torch::indexing::Slice(2), torch::indexing::Slice(2)}, 1);

  const auto soft = mask_on_grid(mask, {1, 2, 2}, "soft").flatten();
  const auto hard = mask_on_grid(mask, {1, 2, 2}, "threshold").flatten();
  const auto nearest = mask_on_grid(mask, {1, 2, 2}, "nearest").flatten();

  EXPECT_TRUE(torch::equal(soft, torch::tensor({0.25, 0., 0., 1.}, torch::kFloat)));
  EXPECT_TRUE(torch::equal(hard, torch::tensor({0., 0., 0., 1.}, torch::kFloat)));
  EXPECT_TRUE(torch::equal(nearest, torch::tensor({1., 0., 0., 1.}, torch::kFloat)));
  EXPECT_THROW(mask_on_grid(mask, {1, 2, 2}, "cubic"), ConfigError);
}

TEST(InsideShare, ComparesEvidenceWithTheMask) {
  auto maps = torch::tensor({3., 1., -5., 0., -1., -1., -1., -1.}, kDouble).view({1, 2, 1, 1, 4});
  const auto mask = torch::tensor({1., 0., 0., 0.}, kDouble).view({1, 1, 1, 1, 4});

  const InsideShare share = inside_share(maps, mask);

  EXPECT_DOUBLE_EQ(scalar(share.evidence[0][0]), 0.75);
  EXPECT_TRUE(std::isnan(scalar(share.evidence[0][1])));
  EXPECT_DOUBLE_EQ(scalar(share.mask[0]), 0.25);
}

TEST(Squash, IsHalfTheTangent) {
  const auto z = wave({1, 2, 2, 2, 2}, 0.1) * 4;

  EXPECT_LE(scalar((squash_evidence(z, "gs") - torch::tanh(z / 2).relu()).abs().max()), 1e-14);
  EXPECT_NEAR(scalar(squash_evidence(z, "relu_max").max()), 1, 1e-5);
  const auto spread = squash_evidence(z, "min_max");
  EXPECT_EQ(scalar(spread.min()), 0);
  EXPECT_NEAR(scalar(spread.max()), 1, 1e-5);
  EXPECT_THROW(squash_evidence(z, "none"), ConfigError);
}

TEST(Misalignment, HasItsClosedForms) {
  // Evidence a everywhere, mask on a part m of the box.
  constexpr double a = 0.6, m = 0.25, kVoxels = 8;
  const auto maps = torch::full({1, 1, 2, 2, 2}, a, kDouble);
  auto mask = torch::zeros({1, 1, 2, 2, 2}, kDouble);
  mask.view(-1).slice(0, 0, 2) = 1;
  const auto of = [&](const std::string& alignment) {
    return scalar(misalignment(maps, mask, {.alignment = alignment}));
  };

  const double tp = a * m, fp = a * (1 - m), fn = (1 - a) * m;
  EXPECT_NEAR(of("tversky"), 1 - tp / (tp + 0.9 * fp + 0.1 * fn), 1e-6);
  EXPECT_NEAR(of("dice"), 1 - 2 * tp / (a + m), 1e-6);
  EXPECT_NEAR(of("energy"), 1 - m, 1e-6);
  for (const std::string alignment : {"tversky", "dice", "energy"}) {
    EXPECT_NEAR(scalar(misalignment(mask, mask, {.alignment = alignment})), 0, 1e-6);
    EXPECT_NEAR(scalar(misalignment(1 - mask, mask, {.alignment = alignment})), 1, 1e-6);
  }
  EXPECT_NEAR(
      scalar(misalignment(maps, mask,
                          {.alignment = "tversky", .false_positive = 0.5, .false_negative = 0.5})),
      of("dice"), 1e-6)
      << kVoxels;
}

struct Setting {
  std::string head, alignment, classes, squash, target;
};

class Csl : public testing::TestWithParam<Setting> {};

TEST_P(Csl, HasTheGradientOfFiniteDifferences) {
  const Setting& how = GetParam();
  const auto head = head_of(how.head);
  const CslConfig config{.weight = 1,
                         .alignment = how.alignment,
                         .classes = how.classes,
                         .squash = how.squash,
                         .target = how.target};
  const auto features = wave({2, 3, 2, 3, 2}, 0.7).abs();
  const auto mask = wave({2, 1, 4, 6, 4}, 0.9).gt(0).to(kDouble);
  const auto stage = torch::tensor({3, 0}, torch::kLong);
  const auto semantic = wave({2, 1, 2, 3, 2}, 0.3);
  const auto total = [&](const CslLoss::Sums& sums) { return sums.activation + sums.semantic; };

  const double by_features = test::gradient_error(
      [&](const at::Tensor& x) { return total(run(config, *head, x, stage, mask, {}, semantic)); },
      features);
  // The same through the classifier's live weights.
  at::Tensor weight = head->parameters()[0];
  const double by_weight = test::gradient_error(
      [&](const at::Tensor& w) {
        const at::Tensor maps = head->evidence(
            class_activation_maps(features, w),
            {.logits = head->forward(features.mean({2, 3, 4})), .stage = stage},
            how.classes == "all"
                ? EvidenceOf::kAll
                : (how.classes == "true" ? EvidenceOf::kTrueStage : EvidenceOf::kPredicted));
        return misalignment(squash_evidence(maps, how.squash),
                            mask_on_grid(mask, {2, 3, 2}, "soft"), config)
            .sum();
      },
      weight);
  head->zero_grad();
  run(config, *head, features, stage, mask, {}, semantic).activation.backward();

  EXPECT_LE(by_features, 1e-5);
  EXPECT_LE(by_weight, 1e-5);
  ASSERT_TRUE(weight.grad().defined());
  EXPECT_GT(scalar(weight.grad().abs().max()), 0);
}

INSTANTIATE_TEST_SUITE_P(Settings, Csl,
                         testing::Values(Setting{"ce", "tversky", "true", "gs", "mask"},
                                         Setting{"ce", "dice", "all", "relu_max", "mask"},
                                         Setting{"ce", "energy", "predicted", "min_max", "mask"},
                                         Setting{"ce", "tversky", "true", "gs", "sem"},
                                         Setting{"ord", "tversky", "all", "gs", "mask"},
                                         Setting{"bce", "tversky", "true", "gs", "mask"},
                                         Setting{"bce", "dice", "all", "gs", "mask"},
                                         Setting{"bce", "energy", "predicted", "gs", "mask"}));

TEST(CslLoss, LooksAtTheChosenClass) {
  // One feature per class: class c lights up voxel c only, so its loss names the class looked at.
  auto head = make_head({.config = {.name = "ce"}, .features = 4});
  head->to(kDouble);
  {
    const torch::NoGradGuard no_grad;
    head->parameters()[0].copy_(20 * torch::eye(4, kDouble));
    head->parameters()[1].copy_(torch::tensor({0., 9., 0., 0.}, kDouble));  // predicts S2
  }
  const auto features = torch::eye(4, kDouble).view({1, 4, 1, 1, 4});
  auto mask = torch::zeros({1, 1, 1, 1, 4}, kDouble);
  mask.view(-1)[2] = 1;
  const auto loss = [&](const std::string& classes, std::int64_t stage) {
    return scalar(run({.weight = 1, .classes = classes}, *head, features,
                      torch::tensor({stage}, torch::kLong), mask)
                      .activation);
  };

  EXPECT_NEAR(loss("true", 2), 0, 1e-3);
  EXPECT_NEAR(loss("true", 3), 1, 1e-3);
  EXPECT_NEAR(loss("predicted", 2), 1, 1e-3);
  EXPECT_NEAR(loss("all", 2), 0.75, 1e-3);
}

TEST(CslLoss, SignsTheEvidenceOfBinaryLogits) {
  auto head = make_head({.config = {.name = "bce"}, .features = 1});
  head->to(kDouble);
  {
    const torch::NoGradGuard no_grad;
    head->parameters()[0].copy_(torch::tensor({{20.}, {-20.}}, kDouble));
  }
  const auto features = torch::tensor({1., 0.}, kDouble).view({1, 1, 1, 1, 2});
  const auto mask = torch::tensor({1., 0.}, kDouble).view({1, 1, 1, 1, 2});
  const auto loss = [&](std::int64_t stage) {
    return scalar(
        run({.weight = 1}, *head, features, torch::tensor({stage}, torch::kLong), mask).activation);
  };

  EXPECT_NEAR(loss(3), 0, 1e-3);    // for S4, against S1: both from the voxel inside
  EXPECT_NEAR(loss(0), 1, 1e-3);    // nothing speaks against S4 or for S1
  EXPECT_NEAR(loss(1), 0.5, 1e-3);  // nothing against S4, something against S1
}

TEST(CslLoss, LeavesOutSamplesWithoutAMask) {
  const auto head = head_of("ce");
  const auto stage = torch::tensor({0, 1, 2}, torch::kLong);
  auto features = wave({3, 3, 2, 2, 2}, 0.7).abs().requires_grad_();
  auto mask = torch::ones({3, 1, 4, 4, 4}, kDouble);
  mask.narrow(3, 0, 2).zero_();
  mask[1].zero_();  // an empty one

  const auto sums =
      run({.weight = 1}, *head, features, stage, mask, torch::tensor({1., 1., 0.}, kDouble));
  sums.activation.backward();

  EXPECT_EQ(sums.denominator, 1);
  EXPECT_GT(scalar(features.grad()[0].abs().max()), 0);
  EXPECT_EQ(scalar(features.grad().slice(0, 1).abs().max()), 0);
  const auto alone =
      run({.weight = 1}, *head, features.slice(0, 0, 1), stage.slice(0, 0, 1), mask.slice(0, 0, 1));
  EXPECT_NEAR(scalar(sums.activation), scalar(alone.activation), 1e-12);
}

TEST(CslLoss, IsRefusedWhereItHasNoMeaning) {
  for (const std::string name : {"reg", "coral", "corn"}) {
    const auto head = head_of(name);
    try {
      CslLoss({.weight = 1}, *head);
      ADD_FAILURE() << name;
    } catch (const ConfigError& error) {
      EXPECT_NE(std::string(error.what()).find(head->no_activation_loss()), std::string::npos);
    }
    EXPECT_NO_THROW(StagingLoss({.weight = 0}, *head));
  }
  for (const std::string name : {"ce", "bce", "ord"}) {
    EXPECT_NO_THROW(CslLoss({.weight = 1}, *head_of(name)));
  }
}

TEST(CslLoss, GrowsOverTheRamp) {
  const auto head = head_of("ce");
  const CslLoss ramped({.weight = 2, .ramp = 0.1}, *head);

  EXPECT_EQ(ramped.weight_at(0, 100), 0);
  EXPECT_DOUBLE_EQ(ramped.weight_at(5, 100), 1);
  EXPECT_EQ(ramped.weight_at(10, 100), 2);
  EXPECT_EQ(CslLoss({.weight = 2}, *head).weight_at(0, 100), 2);
}

TEST(StagingLoss, OfMicroBatchesIsThatOfTheGlobalBatch) {
  StagingOptions options;
  options.backbone.width = 4;
  options.semantic_branch = true;
  StagingNetwork network(options, 3);
  const StagingLoss loss({.weight = 0.7, .target = "sem"}, network.head());
  const auto voi = torch::cat({wave({5, 1, 9, 12, 8}, 0.3), wave({5, 1, 9, 12, 8}, 0.6).gt(0)}, 1)
                       .to(torch::kFloat);
  const auto stage = torch::tensor({0, 3, 1, 2, 3}, torch::kLong);
  const auto weight = torch::tensor({1., 2., .5, 1., 1.}),
             usable = torch::tensor({1., 0., 1., 1., 1.});
  struct Result {
    StagingLoss::Value value;
    std::vector<at::Tensor> gradients;
  };
  const auto run_split = [&](const std::vector<std::pair<int, int>>& parts) {
    network.zero_grad();
    std::vector<StagingLoss::Terms> terms;
    std::vector<double> totals(StagingLoss::kSums, 0.0);
    for (const auto& [from, to] : parts) {
      const auto part = [&, from = from, to = to](const at::Tensor& x) {
        return x.slice(0, from, to);
      };
      terms.push_back(loss.forward(network.forward(part(voi)), {.stage = part(stage),
                                                                .weight = part(weight),
                                                                .mask = part(voi).slice(1, 1, 2),
                                                                .mask_weight = part(usable)}));
      for (std::size_t i = 0; i < totals.size(); ++i) {
        totals[i] += terms.back().sums[i];
      }
    }
    for (const auto& term : terms) {
      loss.surrogate(term, totals, 0.7).backward();
    }
    Result result{loss.value(totals, 0.7), {}};
    for (const auto& parameter : network.parameters()) {
      result.gradients.push_back(parameter.grad().clone());
    }
    return result;
  };

  const Result whole = run_split({{0, 5}}), split = run_split({{0, 1}, {1, 4}, {4, 5}});

  EXPECT_EQ(whole.value.usable_masks, 4);
  EXPECT_GT(whole.value.activation, 0);
  EXPECT_GT(whole.value.semantic, 0);
  EXPECT_NEAR(split.value.loss, whole.value.loss, 1e-6);
  EXPECT_NEAR(whole.value.loss,
              whole.value.head + 0.7 * whole.value.activation + whole.value.semantic, 1e-12);
  double error = 0, size = 0;
  for (std::size_t i = 0; i < whole.gradients.size(); ++i) {
    error += scalar((split.gradients[i] - whole.gradients[i]).square().sum());
    size += scalar(whole.gradients[i].square().sum());
  }
  EXPECT_LE(std::sqrt(error / size), 1e-5);
}

}  // namespace
}  // namespace hepar
