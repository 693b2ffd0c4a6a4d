#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "hepar/core/error.h"
#include "hepar/nn/resnet.h"

namespace hepar {
namespace {

/// The response of a filter [7, 7, 7] to a wave along an axis.
double response(const at::Tensor& filter, double wavelength) {
  const auto phase = 2 * M_PI / wavelength * torch::arange(7, torch::kDouble);
  const auto profile = filter.to(torch::kDouble).sum({1, 2});
  return std::hypot((profile * torch::cos(phase)).sum().item<double>(),
                    (profile * torch::sin(phase)).sum().item<double>());
}

at::Tensor texture_stem(std::int64_t width, std::int64_t channels) {
  return make_backbone({.width = width, .start = "texture"}, channels, 5)
      ->named_parameters()["conv1.weight"]
      .detach();
}

TEST(TextureStart, SeesTheLastImageByPairsOfAFineAndACoarseBand) {
  const auto stem = texture_stem(16, 3);  // two images and a mask

  for (std::int64_t pair = 1; pair < 8; pair += 2) {
    const auto fine = stem[2 * pair][1], coarse = stem[2 * pair + 1][1];
    for (const auto& filter : {fine, coarse}) {
      EXPECT_GT(filter[3][3][3].item<double>(), 0);
      EXPECT_TRUE(torch::equal(filter, filter.transpose(0, 2))) << "no direction is preferred";
    }
    if (pair < 6) {  // the kernel cuts the widest band off, so that it shows fine waves too
      EXPECT_GT(response(fine, 2), response(coarse, 2)) << pair;
    }
    EXPECT_GT(response(coarse, 9), response(fine, 9)) << pair;
  }
}

/// |sum of filter · exp(2 pi i (fy y + fx x))|.
double response_to_wave(const at::Tensor& filter, double fy, double fx) {
  const auto place = torch::arange(7, torch::kDouble) - 3;
  const auto phase = 2 * std::numbers::pi * (fy * place.view({7, 1}) + fx * place.view({1, 7}));
  const auto plane = filter.to(torch::kDouble).sum(0);
  const double real = (plane * phase.cos()).sum().item<double>();
  const double imaginary = (plane * phase.sin()).sum().item<double>();
  return std::hypot(real, imaginary);
}

TEST(TextureStart, SeesTheImagesBeforeByPairsOfADirectionAndNone) {
  const auto stem = texture_stem(16, 3);
  constexpr double kWaves = 0.3;

  for (std::int64_t direction = 0; direction < 4; ++direction) {
    const auto along = stem[4 * direction][0], any = stem[4 * direction + 1][0];
    const double angle = std::numbers::pi / 4 * static_cast<double>(direction);
    const double fy = kWaves * std::sin(angle), fx = kWaves * std::cos(angle);
    EXPECT_GT(response_to_wave(along, fy, fx), 3 * response_to_wave(along, fx, -fy)) << direction;
    EXPECT_NEAR(response_to_wave(any, fy, fx), response_to_wave(any, fx, -fy), 1e-5) << direction;
    EXPECT_GT(response_to_wave(along, fy, fx), response_to_wave(any, fy, fx)) << direction;
  }
}

TEST(TextureStart, HasFiltersWithoutMeanOfLengthOneThatSeeOneChannel) {
  const auto stem = texture_stem(16, 3);
  for (std::int64_t out = 0; out < 16; ++out) {
    const auto filter = stem[out][out / 2 % 2];
    EXPECT_NEAR(filter.sum().item<double>(), 0, 1e-5) << out;
    EXPECT_NEAR(filter.square().sum().item<double>(), 1, 1e-5) << out;
    EXPECT_NEAR(stem[out].square().sum().item<double>(), 1, 1e-5) << out;
  }
}

TEST(TextureStart, GoesOnWithTheOtherKindAndThenAsDrawn) {
  const auto one_image = texture_stem(20, 2).select(1, 0), two_images = texture_stem(16, 3);
  const auto drawn =
      make_backbone({.width = 20}, 2, 5)->named_parameters()["conv1.weight"].detach();

  for (std::int64_t pair = 0; pair < 4; ++pair) {
    for (std::int64_t i = 2 * pair; i < 2 * pair + 2; ++i) {
      EXPECT_TRUE(torch::equal(one_image[i], two_images[i + 2 * pair + 2][1])) << "isotropic";
      EXPECT_TRUE(torch::equal(one_image[8 + i], two_images[i + 2 * pair][0])) << "oriented";
    }
  }
  EXPECT_TRUE(torch::equal(texture_stem(20, 2).slice(0, 16), drawn.slice(0, 16)));
}

TEST(TextureStart, BlocksBeginAsTheirShortcuts) {
  const auto weights = make_backbone({.width = 4, .start = "texture"}, 2, 5)->named_parameters();
  for (const auto& item : weights) {
    if (item.key().ends_with(".norm2.weight") && item.key() != "layer1.0.norm2.weight") {
      EXPECT_EQ(item.value().abs().max().item<double>(), 0) << item.key();
    }
  }
  const auto shortcut = weights["layer2.0.shortcut.conv.weight"].detach().flatten(1);  // 4 -> 8
  const auto drawn = make_backbone({.width = 4}, 2, 5)
                         ->named_parameters()["layer2.0.shortcut.conv.weight"]
                         .detach()
                         .flatten(1);
  const auto handed_on = torch::cat({torch::eye(4), torch::eye(4)});
  EXPECT_LE((shortcut - 0.3 * drawn - handed_on).abs().max().item<double>(), 1e-6);
}

TEST(TextureStart, TheStridedBlockBeginsByLookingAtAllVoxels) {
  const auto weights = make_backbone({.width = 4, .start = "texture"}, 2, 5)->named_parameters();
  const auto& smooth = weights["layer1.0.conv1.weight"];
  const auto drawn = make_backbone({.width = 4}, 2, 5)
                         ->named_parameters()["layer1.0.shortcut.conv.weight"]
                         .detach()
                         .flatten(1);

  const auto mixing = 0.3 * drawn + torch::eye(4);
  EXPECT_LE((smooth.sum({2, 3, 4}) - mixing).abs().max().item<double>(), 1e-6);
  EXPECT_NEAR(smooth[1][2][0][1][2].item<double>(), mixing[1][2].item<double>() / 32, 1e-7);
  const auto same = torch::randn({1, 4, 5, 5, 5});
  EXPECT_TRUE(torch::equal(
      torch::conv3d(same, weights["layer1.0.conv2.weight"], {}, 1, at::IntArrayRef{1}), same));
  EXPECT_EQ(weights["layer1.0.norm2.weight"].min().item<double>(), 1);
  EXPECT_EQ(weights["layer1.0.shortcut.norm.weight"].abs().max().item<double>(), 0);
}

TEST(TextureStart, WantsAShortcutWithWeights) {
  EXPECT_THROW(make_backbone({.width = 4, .shortcut = "a", .start = "texture"}, 2, 1), ConfigError);
}

/// Of rows, each column divided by its sd.
at::Tensor correlation_of(const at::Tensor& rows) {
  const at::Tensor scaled = (rows - rows.mean(0)) / rows.std(0, /*unbiased=*/false);
  return scaled.t().mm(scaled) / rows.size(0);
}

TEST(TextureStart, WhitensTheAveragesOfTheVolumesGiven) {
  torch::manual_seed(1);
  const auto network = make_backbone({.width = 4, .start = "texture"}, 2, 5);
  std::vector<at::Tensor> vois;
  for (std::int64_t i = 0; i < 40; ++i) {
    vois.push_back(torch::randn({1, 2, 9 + i % 5, 12, 8}));
  }
  const auto voi_at = [&](std::size_t i) { return vois[i]; };
  const auto averages = [&] {
    std::vector<at::Tensor> rows;
    for (const at::Tensor& voi : vois) {
      rows.push_back(network->forward(voi).mean({2, 3, 4}).squeeze(0));
    }
    return torch::stack(rows).detach().to(torch::kDouble);
  };
  const at::Tensor correlation = correlation_of(averages());
  const std::int64_t features = correlation.size(0);

  network->whiten_features(vois.size(), voi_at);

  const at::Tensor after = averages();
  EXPECT_LE(after.mean(0).abs().max().item<double>(), 1e-3);
  const at::Tensor covariance = after.t().mm(after) / after.size(0);
  const at::Tensor ridged = correlation + 1e-3 * features * torch::eye(features, torch::kDouble);
  const at::Tensor wanted = correlation.mm(torch::linalg_inv(ridged));
  EXPECT_LE((covariance - wanted).abs().max().item<double>(), 1e-2);
  network->whiten_features(vois.size(), voi_at);  // anew, not on top
  EXPECT_TRUE(torch::equal(averages(), after));
}

TEST(TextureStart, IsNotOfNetworksAsDrawn) {
  torch::manual_seed(1);
  const auto network = make_backbone({.width = 4}, 2, 5);
  const auto voi = torch::randn({1, 2, 9, 12, 8});
  const auto before = network->forward(voi);

  network->whiten_features(1, [&](std::size_t) { return voi; });

  EXPECT_TRUE(torch::equal(network->forward(voi), before));
  EXPECT_TRUE(network->named_buffers().is_empty());
}

}  // namespace
}  // namespace hepar
