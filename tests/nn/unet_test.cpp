#include "hepar/nn/unet.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <string>

#include "hepar/core/error.h"
#include "hepar/core/json.h"

namespace hepar {
namespace {

/// By value: a loop over a part of a temporary would run over nothing.
Json vectors(const std::string& key) {
  Json cases = read_json(std::string(HEPAR_TEST_VECTORS) + "/unet.json").at(key);
  require(!cases.empty(), "unet.json: wanted cases under " + key);
  return cases;
}

UNetOptions options_from(const Json& plan) {
  UNetOptions options;
  options.in_channels = plan.at("in_channels");
  options.classes = plan.at("classes");
  options.architecture = plan.at("architecture");
  options.features = plan.at("features").get<std::vector<std::int64_t>>();
  options.strides = plan.at("strides").get<std::vector<std::array<std::int64_t, 3>>>();
  options.kernels = plan.at("kernels").get<std::vector<std::array<std::int64_t, 3>>>();
  options.blocks_per_stage = plan.at("blocks_per_stage").get<std::vector<std::int64_t>>();
  options.convs_per_decoder_level =
      plan.at("convs_per_decoder_level").get<std::vector<std::int64_t>>();
  return options;
}

UNetOptions tiny_options(const std::string& architecture) {
  return {.in_channels = 1,
          .classes = 3,
          .architecture = architecture,
          .features = {4, 6, 8},
          .strides = {{1, 1, 1}, {1, 2, 2}, {2, 2, 2}},
          .kernels = {{1, 3, 3}, {3, 3, 3}, {3, 3, 3}},
          .blocks_per_stage = {},
          .convs_per_decoder_level = {}};
}

std::int64_t parameter_count(const SegmentationNetwork& network) {
  std::int64_t n = 0;
  for (const auto& parameter : network.parameters()) {
    n += parameter.numel();
  }
  return n;
}

/// The formula of tests/oracle/unet.py.
void fill_by_formula(SegmentationNetwork& network) {
  const torch::NoGradGuard no_grad;
  std::int64_t i = 0;
  for (auto& item : network.named_parameters()) {
    at::Tensor& value = item.value();
    const auto index = torch::arange(i, i + value.numel(), torch::kDouble);
    auto filled = 0.2 * torch::sin(0.7 * index + 0.3);
    if (item.key().ends_with("norm.weight")) {
      filled = filled + 1;
    }
    i += value.numel();
    value.copy_(filled.to(torch::kFloat).view_as(value));
  }
}

TEST(UNet, HasAsManyParametersAsThePeer) {
  for (const Json& plan : vectors("parameter_counts")) {
    SCOPED_TRACE(plan.at("name"));

    const auto network = make_unet(options_from(plan), 1);

    EXPECT_EQ(parameter_count(*network), plan.at("parameters").get<std::int64_t>());
  }
}

TEST(UNet, HasThePeersParameterNamesInItsOrder) {
  for (const Json& tiny : vectors("logits")) {
    SCOPED_TRACE(tiny.at("name"));

    const auto network = make_unet(options_from(tiny), 1);

    std::vector<std::string> names;
    for (const auto& item : network->named_parameters()) {
      names.push_back(item.key());
    }
    EXPECT_EQ(names, tiny.at("names").get<std::vector<std::string>>());
    EXPECT_TRUE(network->named_buffers().is_empty());
  }
}

TEST(UNet, GivesThePeersLogits) {
  for (const Json& tiny : vectors("logits")) {
    SCOPED_TRACE(tiny.at("name"));
    const auto network = make_unet(options_from(tiny), 1);
    fill_by_formula(*network);
    const auto shape = tiny.at("image_shape").get<std::vector<std::int64_t>>();
    const auto image =
        torch::cos(0.37 * torch::arange(c10::multiply_integers(shape), torch::kDouble))
            .to(torch::kFloat)
            .view(shape);

    const auto levels = network->forward(image);

    ASSERT_EQ(levels.size(), tiny.at("levels").size());
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const Json& expected = tiny.at("levels")[i];
      EXPECT_EQ(levels[i].sizes().vec(), expected.at("shape").get<std::vector<std::int64_t>>());
      const auto values = expected.at("values").get<std::vector<float>>();
      const auto found = levels[i].contiguous().flatten().slice(0, 0, {}, expected.at("every"));
      ASSERT_EQ(found.numel(), static_cast<std::int64_t>(values.size()));
      EXPECT_LE((found - torch::tensor(values)).abs().max().item<double>(), 1e-4);
    }
  }
}

TEST(UNet, ReturnsTheFullResolutionOnlyWithoutDeepSupervision) {
  const auto network = make_unet(tiny_options("plain"), 3);
  const auto image = torch::randn({1, 1, 4, 8, 8});
  const auto every_level = network->forward(image);

  network->deep_supervision = false;
  const auto one = network->forward(image);

  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(every_level.size(), 2U);
  EXPECT_TRUE(torch::equal(one[0], every_level[0]));
}

TEST(UNet, EveryParameterGetsAGradient) {
  for (const std::string architecture : {"plain", "resenc"}) {
    const auto network = make_unet(tiny_options(architecture), 3);

    at::Tensor sum = torch::zeros({});
    for (const auto& level : network->forward(torch::randn({2, 1, 4, 8, 8}))) {
      sum = sum + level.square().mean();
    }
    sum.backward();

    for (const auto& item : network->named_parameters()) {
      EXPECT_TRUE(item.value().grad().defined()) << item.key();
    }
  }
}

TEST(InitialWeights, FollowKaimingWithFanIn) {
  UNetOptions options = tiny_options("plain");
  options.features = {32, 64, 128};
  const auto network = make_unet(options, 5);
  const auto weights = network->named_parameters();
  const double gain = std::sqrt(2.0 / (1.0 + 1e-4));

  const auto& conv = weights["encoder.stages.2.0.convs.0.conv.weight"];
  const auto& up = weights["decoder.transpconvs.0.weight"];

  EXPECT_NEAR(conv.std().item<double>() / (gain / std::sqrt(64 * 27)), 1, 0.01);
  EXPECT_NEAR(conv.mean().item<double>(), 0, 1e-3);
  EXPECT_NEAR(up.std().item<double>() / (gain / std::sqrt(64 * 8)), 1, 0.02);
  EXPECT_EQ(weights["decoder.transpconvs.0.bias"].abs().max().item<double>(), 0);
  EXPECT_EQ(weights["encoder.stages.0.0.convs.0.norm.weight"].min().item<double>(), 1);
}

TEST(InitialWeights, SilenceTheResidualBranch) {
  const auto weights = make_unet(tiny_options("resenc"), 5)->named_parameters();

  EXPECT_EQ(weights["encoder.stages.1.blocks.0.conv2.norm.weight"].abs().max().item<double>(), 0);
  EXPECT_EQ(weights["encoder.stages.1.blocks.0.conv1.norm.weight"].min().item<double>(), 1);
  EXPECT_EQ(weights["encoder.stages.1.blocks.0.skip.1.norm.weight"].min().item<double>(), 1);
}

TEST(InitialWeights, DependOnTheSeedAlone) {
  const auto first = make_unet(tiny_options("plain"), 7)->parameters();
  torch::manual_seed(123);
  const auto again = make_unet(tiny_options("plain"), 7)->parameters();
  const auto other = make_unet(tiny_options("plain"), 8)->parameters();

  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(torch::equal(first[i], again[i]));
  }
  EXPECT_FALSE(torch::equal(first[0], other[0]));
}

TEST(UNet, RefusesInputsThatDoNotFit) {
  const auto network = make_unet(tiny_options("plain"), 1);

  EXPECT_THROW(network->forward(torch::zeros({1, 2, 4, 8, 8})), ShapeError);
  EXPECT_THROW(network->forward(torch::zeros({1, 1, 4, 8, 6})), ShapeError);
  EXPECT_THROW(network->forward(torch::zeros({1, 4, 8, 8})), ShapeError);
}

TEST(UNet, RefusesIncompleteOptions) {
  UNetOptions options = tiny_options("plain");
  options.kernels.pop_back();
  EXPECT_THROW(make_unet(options, 1), ConfigError);

  options = tiny_options("swin");
  EXPECT_THROW(make_unet(options, 1), ConfigError);

  options = tiny_options("plain");
  options.kernels[1] = {2, 3, 3};
  EXPECT_THROW(make_unet(options, 1), ConfigError);
}

TEST(UNet, TakesItsOptionsFromThePlan) {
  Plan plan;
  plan.channels = {"T1", "T2"};
  plan.classes = {"background", "liver", "spleen"};
  plan.architecture = "resenc";
  plan.features = {4, 6, 8};
  plan.strides = {{1, 1, 1}, {1, 2, 2}, {2, 2, 2}};
  plan.kernels = {{1, 3, 3}, {3, 3, 3}, {3, 3, 3}};

  const UNetOptions options = unet_options(plan);

  EXPECT_EQ(options.in_channels, 2);
  EXPECT_EQ(options.classes, 3);
  EXPECT_EQ(options.blocks_per_stage, (std::vector<std::int64_t>{1, 3, 4}));
  EXPECT_EQ(options.convs_per_decoder_level, (std::vector<std::int64_t>{1, 1}));
}

}  // namespace
}  // namespace hepar
