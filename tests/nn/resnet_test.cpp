#include "hepar/nn/resnet.h"

#include <gtest/gtest.h>
#include <torch/nn.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <barrier>
#include <cmath>
#include <string>
#include <thread>

#include "hepar/core/error.h"
#include "hepar/core/json.h"
#include "hepar/nn/staging_network.h"

namespace hepar {
namespace {

std::int64_t parameter_count(const torch::nn::Module& network) {
  std::int64_t n = 0;
  for (const auto& parameter : network.parameters()) {
    n += parameter.numel();
  }
  return n;
}

/// Parameters of the network of width 64, from those of narrow ones: every convolution is
/// proportional to width², the stem and the norms to width.
std::int64_t count_at_64(BackboneConfig config, std::int64_t channels) {
  const auto count = [&](std::int64_t width) {
    config.width = width;
    return parameter_count(*make_backbone(config, channels, 1));
  };
  const std::int64_t two = count(2), four = count(4);
  const std::int64_t square = (four - 2 * two) / 8, linear = (two - 4 * square) / 2;
  EXPECT_EQ(count(6), 36 * square + 6 * linear);
  return 64 * 64 * square + 64 * linear;
}

TEST(ResNet, HasThePublishedNumbersOfParameters) {
  // staging.md §0 and §3.
  const StagingNetwork winner(StagingOptions{}, 1);
  EXPECT_EQ(parameter_count(winner), 15802244);
  StagingOptions narrow;
  narrow.backbone.width = 2;
  const auto without = parameter_count(StagingNetwork(narrow, 1));
  narrow.semantic_branch = true;  // from 4 · 2 features; of 4 · 64 features it is 248,992
  EXPECT_EQ(parameter_count(StagingNetwork(narrow, 1)) - without + 32 * 27 * (256 - 8), 248992);

  EXPECT_EQ(count_at_64({.name = "imr_r34gn"}, 2), 15801216);
  EXPECT_EQ(count_at_64({.name = "r34"}, 1), 63295808);
  EXPECT_EQ(count_at_64({.name = "r34", .shortcut = "b"}, 1), 63469632);
  EXPECT_EQ(count_at_64({.name = "r34", .shortcut = "a"}, 2), 63317760);
  EXPECT_EQ(count_at_64({.name = "r34", .norm = "group", .shortcut = "b"}, 2), 63491584);
}

/// The formula of tests/oracle/resnet.py.
void fill_by_formula(torch::nn::Module& network) {
  const torch::NoGradGuard no_grad;
  std::int64_t first = 0;
  const auto fill = [&](const std::string& name, at::Tensor& value) {
    const auto i = torch::arange(first, first + value.numel(), torch::kDouble);
    auto wave = torch::sin(0.7 * i + 0.3).view(value.sizes());
    if (value.dim() == 5) {
      wave = wave * 1.2 / std::sqrt(static_cast<double>(value.numel() / value.size(0)));
    } else if (name.ends_with("running_var")) {
      wave = 1 + 0.5 * wave;
    } else {
      wave = 0.2 * wave + (name.ends_with("weight") ? 1 : 0);
    }
    value.copy_(wave.to(torch::kFloat));
    first += value.numel();
  };
  for (auto& item : network.named_parameters()) {
    fill(item.key(), item.value());
  }
  for (auto& item : network.named_buffers()) {
    fill(item.key(), item.value());
  }
}

TEST(ResNet, GivesThePeersFeatures) {
  const Json cases = read_json(std::string(HEPAR_TEST_VECTORS) + "/resnet.json");
  ASSERT_EQ(cases.size(), 7U);
  for (const Json& wanted : cases) {
    const std::string name = wanted.at("name");
    SCOPED_TRACE(name + " " + wanted.at("shortcut").get<std::string>());
    const auto network = make_backbone({.name = name,
                                        .width = wanted.at("width"),
                                        .norm = wanted.at("norm"),
                                        .shortcut = wanted.at("shortcut")},
                                       wanted.at("channels"), 1);
    network->train(wanted.at("training").get<bool>());
    fill_by_formula(*network);
    const auto shape = wanted.at("image_shape").get<std::vector<std::int64_t>>();
    const auto image =
        torch::cos(0.37 * torch::arange(c10::multiply_integers(shape), torch::kDouble))
            .to(torch::kFloat)
            .view(shape);

    const auto features = network->forward(image);

    std::vector<std::string> names;
    for (const auto& item : network->named_parameters()) {
      names.push_back(item.key());
    }
    EXPECT_EQ(names, wanted.at("names").get<std::vector<std::string>>());
    ASSERT_EQ(features.sizes().vec(), wanted.at("shape").get<std::vector<std::int64_t>>());
    EXPECT_EQ(features.size(1), network->channels());
    const auto values = torch::tensor(wanted.at("values").get<std::vector<float>>());
    const auto found = features.contiguous().flatten().slice(0, 0, {}, wanted.at("every"));
    EXPECT_LE((found - values).abs().max().item<double>(),
              1e-4 * std::max(1.0, values.max().item<double>()));
  }
}

TEST(ResNet, StridesAsItSays) {
  for (const std::string& name : backbone_names()) {
    const auto network = make_backbone({.name = name, .width = 2}, 1, 1);
    network->eval();

    const auto features = network->forward(torch::zeros({1, 1, 33, 32, 31}));

    const std::int64_t s = network->stride();
    EXPECT_EQ(features.sizes().vec(),
              (std::vector<std::int64_t>{1, network->channels(), (33 + s - 1) / s, 32 / s,
                                         (31 + s - 1) / s}))
        << name;
    EXPECT_GE(features.min().item<double>(), 0);
  }
}

TEST(ResNet, OfGroupNormTreatsSamplesAlone) {
  torch::manual_seed(1);
  const auto network = make_backbone({.width = 4}, 2, 1);
  const auto voi = torch::randn({3, 2, 9, 12, 8});

  const auto together = network->forward(voi);

  const double tolerance = 1e-5 * together.max().item<double>();
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto alone = network->forward(voi.slice(0, i, i + 1));
    EXPECT_LE((alone - together.slice(0, i, i + 1)).abs().max().item<double>(), tolerance);
  }
}

TEST(ResNet, EveryParameterGetsAGradient) {
  torch::manual_seed(1);
  for (const std::string& name : backbone_names()) {
    for (const std::string norm : {"group", "batch"}) {
      const auto network = make_backbone({.name = name, .width = 4, .norm = norm}, 2, 1);

      network->forward(torch::randn({2, 2, 16, 16, 16})).square().mean().backward();

      for (const auto& item : network->named_parameters()) {
        EXPECT_TRUE(item.value().grad().defined()) << name << ' ' << item.key();
      }
    }
  }
}

/// Gradient of the stem when every residual branch is silent: only shortcuts reach it.
double stem_gradient(bool detached) {
  const auto network = make_backbone(
      {.name = "r34", .width = 2, .norm = "group", .shortcut = "a", .detached_shortcut = detached},
      1, 1);
  {
    const torch::NoGradGuard no_grad;
    for (auto& item : network->named_parameters()) {
      if (item.key().ends_with("norm2.weight")) {
        item.value().zero_();
      }
    }
  }
  network->forward(torch::randn({1, 1, 16, 16, 16})).square().mean().backward();
  return network->named_parameters()["conv1.weight"].grad().abs().max().item<double>();
}

TEST(ResNet, StopsTheGradientInDetachedShortcuts) {
  EXPECT_GT(stem_gradient(false), 0);
  EXPECT_EQ(stem_gradient(true), 0);
}

TEST(ResNet, DrawsKaimingWithFanOut) {
  const auto weights = make_backbone({.width = 16}, 2, 5)->named_parameters();
  const auto& conv = weights["layer3.0.conv1.weight"];  // 32 -> 64

  EXPECT_NEAR(conv.std().item<double>() / std::sqrt(2.0 / (64 * 27)), 1, 0.02);
  EXPECT_EQ(weights["layer3.0.norm2.weight"].min().item<double>(), 1);
  EXPECT_EQ(weights["layer3.0.norm2.bias"].abs().max().item<double>(), 0);
}

TEST(StagingNetwork, DrawsTheSameBackboneForEveryHead) {
  StagingOptions options;
  options.backbone.width = 4;
  const auto ce = StagingNetwork(options, 7).named_parameters();
  torch::manual_seed(123);
  options.head.name = "coral";
  const auto coral = StagingNetwork(options, 7).named_parameters();
  const auto other = StagingNetwork(options, 8).named_parameters();

  for (const auto& item : ce) {
    if (item.key().starts_with("backbone.")) {
      EXPECT_TRUE(torch::equal(item.value(), coral[item.key()])) << item.key();
    }
  }
  EXPECT_FALSE(torch::equal(ce["backbone.conv1.weight"], other["backbone.conv1.weight"]));
  EXPECT_LT(ce["head.weight"].abs().max().item<double>(), 0.05);
  EXPECT_GT(ce["head.weight"].abs().max().item<double>(), 0.01);
  EXPECT_EQ(ce["head.bias"].abs().max().item<double>(), 0);
  EXPECT_NEAR(coral["head.bias"][1].item<double>(), 2.0 / 3, 1e-6);
}

std::vector<std::pair<std::string, at::Tensor>> state_of(const Backbone& network) {
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (const auto& item : network.named_parameters()) {
    state.emplace_back(item.key(), item.value().detach().clone());
  }
  for (const auto& item : network.named_buffers()) {
    state.emplace_back(item.key(), item.value().clone());
  }
  return state;
}

TEST(LoadBackbone, GivesOneChannelWeightsAnotherChannel) {
  torch::manual_seed(1);
  const BackboneConfig config{.name = "r34", .width = 4};
  const auto one = make_backbone(config, 1, 1), two = make_backbone(config, 2, 2);
  one->eval();
  two->eval();
  auto state = state_of(*one);
  state.emplace_back("conv_seg.0.weight", torch::zeros({1}));
  const auto image = torch::randn({1, 1, 12, 12, 12});
  const auto mask = image.gt(0).to(torch::kFloat);

  const BackboneTransfer report = load_backbone(*two, state);

  EXPECT_TRUE(torch::equal(two->forward(torch::cat({image, mask}, 1)), one->forward(image)));
  EXPECT_EQ(report.inflated, std::vector<std::string>{"conv1.weight"});
  EXPECT_EQ(report.unused, std::vector<std::string>{"conv_seg.0.weight"});
  EXPECT_TRUE(report.fresh.empty());
  EXPECT_EQ(report.copied.size() + 2, state.size());
}

TEST(LoadBackbone, RefusesWhatDoesNotFit) {
  const auto network = make_backbone({.name = "r34", .width = 4}, 1, 1);
  const auto wider = state_of(*make_backbone({.name = "r34", .width = 6}, 1, 1));
  const auto two = state_of(*make_backbone({.name = "r34", .width = 4}, 2, 1));

  EXPECT_THROW(load_backbone(*network, wider), DataError);
  EXPECT_THROW(load_backbone(*network, two), DataError);  // a stem is widened, never cut
  EXPECT_THROW(load_backbone(*network, {{"module.conv1.weight", torch::zeros({1})}}), DataError);
}

TEST(ResNet, RefusesWrongOptions) {
  EXPECT_THROW(make_backbone({.name = "r50"}, 1, 1), ConfigError);
  EXPECT_THROW(make_backbone({.width = 3}, 1, 1), ConfigError);
  EXPECT_THROW(make_backbone({.width = 4}, 0, 1), ConfigError);
  EXPECT_THROW(make_backbone({.width = 4}, 2, 1)->forward(torch::zeros({1, 1, 8, 8, 8})),
               ShapeError);
}

/// Two ranks as two threads, adding their vectors up in turns.
class TwoRanks {
 public:
  SumExchange of(std::size_t rank) {
    return [this, rank](std::vector<double>& values) {
      slots_[rank] = values;
      barrier_.arrive_and_wait();
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = slots_[0].at(i) + slots_[1].at(i);
      }
      barrier_.arrive_and_wait();
    };
  }

 private:
  std::vector<double> slots_[2];
  std::barrier<> barrier_{2};
};

struct RankResult {
  at::Tensor features, dvoi;
  std::vector<at::Tensor> gradients;
  std::vector<double> sums;
};

RankResult run_batch_norm(Backbone& network, const at::Tensor& voi, const at::Tensor& direction) {
  RankResult result;
  const auto x = voi.clone().requires_grad_();
  result.features = network.forward(x);
  result.sums = network.take_batch_sums();
  (result.features * direction).sum().backward();
  result.dvoi = x.grad();
  for (const auto& parameter : network.parameters()) {
    result.gradients.push_back(parameter.grad());
  }
  return result;
}

TEST(BatchNorm, OfTwoRanksIsThatOfOne) {
  torch::manual_seed(1);
  const BackboneConfig config{.name = "r34", .width = 2, .shortcut = "b"};
  const auto whole = make_backbone(config, 1, 1);
  whole->to(torch::kDouble);
  std::shared_ptr<Backbone> ranks[2];
  TwoRanks exchange;
  for (std::size_t r = 0; r < 2; ++r) {
    ranks[r] = make_backbone(config, 1, 1);
    ranks[r]->to(torch::kDouble);
    ranks[r]->exchange_sums_with(exchange.of(r));
  }
  const auto voi = torch::randn({3, 1, 9, 8, 8}, torch::kDouble);
  const auto direction = torch::randn({3, 16, 2, 1, 1}, torch::kDouble);

  const RankResult wanted = run_batch_norm(*whole, voi, direction);
  RankResult found[2];
  {
    std::jthread other([&] {
      found[1] = run_batch_norm(*ranks[1], voi.slice(0, 2, 3), direction.slice(0, 2, 3));
    });
    found[0] = run_batch_norm(*ranks[0], voi.slice(0, 0, 2), direction.slice(0, 0, 2));
  }

  const auto near = [](const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>() / std::max(1e-9, b.abs().max().item<double>());
  };
  EXPECT_LE(near(torch::cat({found[0].features, found[1].features}), wanted.features), 1e-9);
  EXPECT_LE(near(torch::cat({found[0].dvoi, found[1].dvoi}), wanted.dvoi), 1e-7);
  for (std::size_t i = 0; i < wanted.gradients.size(); ++i) {
    EXPECT_LE(near(found[0].gradients[i] + found[1].gradients[i], wanted.gradients[i]), 1e-7);
  }
  // Running statistics: the sums of the parts are those of the whole.
  std::vector<double> totals = found[0].sums;
  for (std::size_t i = 0; i < totals.size(); ++i) {
    totals[i] += found[1].sums.at(i);
    EXPECT_NEAR(totals[i], wanted.sums[i], 1e-9 * std::max(1.0, std::abs(wanted.sums[i])));
  }
}

TEST(BatchNorm, KeepsTorchsRunningStatistics) {
  torch::manual_seed(1);
  const auto network = make_backbone({.name = "r34", .width = 2}, 1, 1);
  const auto voi = torch::randn({2, 1, 9, 8, 8});
  const auto stem = torch::nn::functional::conv3d(
      voi, network->named_parameters()["conv1.weight"],
      torch::nn::functional::Conv3dFuncOptions().stride(2).padding(3));
  torch::nn::BatchNorm3d reference(2);
  reference->forward(stem);

  network->forward(voi);
  EXPECT_EQ(network->named_buffers()["norm1.running_mean"].abs().max().item<double>(), 0);
  network->update_running_statistics(network->take_batch_sums());

  const auto buffers = network->named_buffers();
  EXPECT_TRUE(torch::allclose(buffers["norm1.running_mean"], reference->running_mean, 1e-4, 1e-6));
  EXPECT_TRUE(torch::allclose(buffers["norm1.running_var"], reference->running_var, 1e-4, 1e-6));
  EXPECT_THROW((void)network->take_batch_sums(), ShapeError);
  EXPECT_THROW(network->update_running_statistics({1, 2}), ShapeError);
  const auto group = make_backbone({.width = 2}, 1, 1);
  group->forward(voi);
  EXPECT_TRUE(group->take_batch_sums().empty());
}

}  // namespace
}  // namespace hepar
