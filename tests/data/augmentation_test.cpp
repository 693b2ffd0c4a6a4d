#include "hepar/data/augmentation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "../../src/data/right_angles.h"
#include "hepar/core/error.h"

namespace hepar {
namespace {

AugmentationConfig nothing() {
  AugmentationConfig config;
  config.rotation_probability = 0;
  config.scaling_probability = 0;
  config.noise_probability = 0;
  config.blur_probability = 0;
  config.brightness_probability = 0;
  config.contrast_probability = 0;
  config.low_resolution_probability = 0;
  config.gamma_inverted_probability = 0;
  config.gamma_probability = 0;
  config.mirror_axes = {};
  return config;
}

RandomStream stream(std::uint64_t step) {
  return RandomStream({.seed = 11, .purpose = Purpose::kAugmentation, .step = step});
}

/// Every voxel's value is its index; a box of label 1, a border of label −1.
Patch numbered(SizeVox size, int channels = 1) {
  Patch patch;
  patch.channels = channels;
  patch.size = size;
  for (int c = 0; c < channels; ++c) {
    for (std::int64_t i = 0; i < count(size); ++i) {
      patch.image.push_back(static_cast<float>(i + 1000 * c));
    }
  }
  for (std::int64_t z = 0; z < size.z; ++z) {
    for (std::int64_t y = 0; y < size.y; ++y) {
      for (std::int64_t x = 0; x < size.x; ++x) {
        const bool border = z == 0 || y == 0 || x == 0;
        const bool object = z > size.z / 2 && y > size.y / 2 && x > size.x / 2;
        patch.labels.push_back(static_cast<std::int16_t>(border ? -1 : (object ? 1 : 0)));
      }
    }
  }
  return patch;
}

TEST(LoaderPatch, GrowsAsInThePeer) {
  const AugmentationConfig config;

  EXPECT_EQ(loader_patch_size(config, {128, 128, 128}), (SizeVox{205, 205, 205}));
  // Computed with nnU-Net's function (rotation ±30°, in-plane ±180° clamped to 90°, scale 0.85).
  EXPECT_EQ(loader_patch_size(config, {40, 56, 40}), (SizeVox{73, 80, 64}));
  EXPECT_EQ(loader_patch_size(config, {64, 160, 160}), (SizeVox{159, 257, 200}));
  EXPECT_EQ(loader_patch_size(config, {20, 320, 256}), (SizeVox{20, 376, 376}));
}

TEST(LoaderPatch, IsThePatchWhenNothingMoves) {
  EXPECT_EQ(loader_patch_size(nothing(), {20, 30, 40}), (SizeVox{20, 30, 40}));
  AugmentationConfig off;
  off.enabled = false;
  EXPECT_EQ(loader_patch_size(off, {20, 30, 40}), (SizeVox{20, 30, 40}));
}

TEST(Dummy2d, FollowsTheRatioUnlessToldOtherwise) {
  AugmentationConfig config;
  EXPECT_FALSE(uses_dummy_2d(config, {40, 120, 120}));
  EXPECT_TRUE(uses_dummy_2d(config, {39, 120, 120}));
  EXPECT_FALSE(uses_dummy_2d(config, {128, 32, 32}));

  config.dummy_2d = "off";
  EXPECT_FALSE(uses_dummy_2d(config, {8, 120, 120}));
  config.dummy_2d = "on";
  EXPECT_TRUE(uses_dummy_2d(config, {40, 40, 40}));
}

TEST(CentreCrop, CutsTheMiddleAndPadsOutside) {
  const Patch source = numbered({5, 6, 7}, 2);

  const Patch inner = centre_crop(source, {.size = {2, 3, 4}, .keep_ignore = true});
  const Patch outer = centre_crop(source, {.size = {9, 6, 7}, .keep_ignore = true});

  EXPECT_EQ(inner.image[0], source.image[(1 * 6 + 2) * 7 + 1]);  // 5/2 − 2/2, 6/2 − 3/2, 7/2 − 4/2
  EXPECT_EQ(inner.image[2 * 3 * 4], 1000 + source.image[(1 * 6 + 2) * 7 + 1]);
  EXPECT_EQ(inner.labels.size(), 24U);
  EXPECT_EQ(outer.image[0], 0);
  EXPECT_EQ(outer.labels[0], -1);
  EXPECT_EQ(outer.image[2 * 6 * 7 + 10], source.image[10]);
}

TEST(CentreCrop, MasksNormalisedChannelsAndDropsTheOutsideLabel) {
  const Patch source = numbered({4, 4, 4}, 2);

  const Patch patch = centre_crop(source, {.size = {4, 4, 4}, .mask_normalised = {false, true}});

  EXPECT_EQ(patch.image[1], 1);
  EXPECT_EQ(patch.image[64 + 1], 0);  // label −1
  EXPECT_EQ(patch.image[64 + 21], 1021);
  for (const std::int16_t label : patch.labels) {
    EXPECT_GE(label, 0);
  }
}

TEST(Augment, WithNothingDrawnIsTheCentreCrop) {
  const Patch source = numbered({7, 8, 9}, 2);
  const AugmentTask task{.size = {4, 5, 6}, .keep_ignore = true};
  RandomStream random = stream(0);

  const Patch patch = augment(source, task, nothing(), random);

  const Patch expected = centre_crop(source, task);
  EXPECT_EQ(patch.image, expected.image);
  EXPECT_EQ(patch.labels, expected.labels);
}

TEST(Augment, DependsOnTheStreamAlone) {
  const Patch source = numbered({20, 20, 20}, 2);
  const AugmentTask task{.size = {12, 12, 12}};
  std::set<std::vector<float>> different;

  for (std::uint64_t step = 0; step < 20; ++step) {
    RandomStream first = stream(step);
    RandomStream again = stream(step);
    const Patch patch = augment(source, task, {}, first);
    EXPECT_EQ(patch.image, augment(source, task, {}, again).image);
    different.insert(patch.image);
  }
  EXPECT_GE(different.size(), 15U);
}

TEST(Augment, MirrorsEachChosenAxisHalfTheTime) {
  AugmentationConfig config = nothing();
  config.mirror_axes = {0, 2};
  const Patch source = numbered({2, 2, 2});
  int z_flips = 0, x_flips = 0;
  constexpr int kDraws = 2000;
  for (std::uint64_t step = 0; step < kDraws; ++step) {
    RandomStream random = stream(step);

    const Patch patch = augment(source, {.size = {2, 2, 2}, .keep_ignore = true}, config, random);

    const auto first = static_cast<int>(patch.image[0]);
    z_flips += (first & 4) != 0 ? 1 : 0;
    x_flips += (first & 1) != 0 ? 1 : 0;
    ASSERT_EQ(first & 2, 0) << "y must stay";
    for (std::size_t i = 0; i < 8; ++i) {  // labels went the same way
      ASSERT_EQ(patch.labels[i], source.labels[static_cast<std::size_t>(patch.image[i])]);
    }
  }
  EXPECT_NEAR(z_flips, kDraws / 2, 100);
  EXPECT_NEAR(x_flips, kDraws / 2, 100);
}

TEST(Augment, BrightnessFactorsFollowTheLaw) {
  AugmentationConfig config = nothing();
  config.brightness_probability = 1;
  Patch source = numbered({1, 1, 1});
  source.image[0] = 1;
  int below = 0;
  double sum_below = 0, sum_above = 0;
  constexpr int kDraws = 4000;
  for (std::uint64_t step = 0; step < kDraws; ++step) {
    RandomStream random = stream(step);

    const double factor =
        static_cast<double>(augment(source, {.size = {1, 1, 1}}, config, random).image[0]);

    ASSERT_GE(factor, 0.75);
    ASSERT_LE(factor, 1.25);
    below += factor < 1 ? 1 : 0;
    (factor < 1 ? sum_below : sum_above) += factor;
  }
  EXPECT_NEAR(below, kDraws / 2, 130);
  EXPECT_NEAR(sum_below / below, 0.875, 0.006);
  EXPECT_NEAR(sum_above / (kDraws - below), 1.125, 0.006);
}

TEST(Augment, AppliesEachStepWithItsProbability) {
  const Patch source = numbered({4, 4, 4});
  const auto changed_share = [&](const AugmentationConfig& config) {
    const AugmentTask task{.size = {4, 4, 4}, .keep_ignore = true};
    constexpr int kDraws = 2000;
    int changed = 0;
    for (std::uint64_t step = 0; step < kDraws; ++step) {
      RandomStream random = stream(step);
      changed += augment(source, task, config, random).image != source.image ? 1 : 0;
    }
    return static_cast<double>(changed) / kDraws;
  };
  const auto only = [](double AugmentationConfig::*probability, double value) {
    AugmentationConfig config = nothing();
    config.*probability = value;
    return config;
  };
  constexpr double kNear = 0.04;

  EXPECT_NEAR(changed_share(only(&AugmentationConfig::rotation_probability, 0.2)), 0.2, kNear);
  EXPECT_NEAR(changed_share(only(&AugmentationConfig::scaling_probability, 0.2)), 0.2, kNear);
  EXPECT_NEAR(changed_share(only(&AugmentationConfig::noise_probability, 0.1)), 0.1, kNear);
  EXPECT_NEAR(changed_share(only(&AugmentationConfig::blur_probability, 0.4)), 0.2, kNear);
  EXPECT_NEAR(changed_share(only(&AugmentationConfig::contrast_probability, 0.15)), 0.15, kNear);
  EXPECT_NEAR(changed_share(only(&AugmentationConfig::gamma_probability, 0.3)), 0.3, kNear);
  EXPECT_NEAR(changed_share(only(&AugmentationConfig::gamma_inverted_probability, 0.1)), 0.1,
              kNear);
}

TEST(Augment, InPlaneModeLeavesTheFirstAxisAlone) {
  AugmentationConfig config = nothing();
  config.rotation_probability = 1;
  config.scaling_probability = 1;
  Patch source = numbered({4, 40, 40});
  for (std::size_t i = 0; i < source.image.size(); ++i) {
    source.image[i] = static_cast<float>(i / 1600 + 1);  // the slice's number
  }
  for (std::uint64_t step = 0; step < 20; ++step) {
    RandomStream random = stream(step);

    const Patch patch = augment(source, {.size = {4, 16, 16}}, config, random);

    for (std::size_t z = 0; z < 4; ++z) {
      EXPECT_FLOAT_EQ(patch.image[z * 256 + 8 * 16 + 8], static_cast<float>(z + 1));
    }
  }
}

TEST(Augment, InPlaneModeKeepsTheFirstAxisResolution) {
  AugmentationConfig config = nothing();
  config.low_resolution_probability = 1;
  config.low_resolution_range = {0.5, 0.5};
  Patch source = numbered({4, 16, 16});
  for (std::size_t i = 0; i < source.image.size(); ++i) {
    source.image[i] = static_cast<float>(i / 256);  // the slice's number
  }
  const auto changed = [&](const char* mode) {
    config.dummy_2d = mode;
    int patches = 0;
    for (std::uint64_t step = 0; step < 20; ++step) {
      RandomStream random = stream(step);
      patches +=
          augment(source, {.size = {4, 16, 16}}, config, random).image != source.image ? 1 : 0;
    }
    return patches;
  };

  EXPECT_EQ(changed("on"), 0);
  EXPECT_GT(changed("off"), 0);
}

TEST(Augment, LabelsGoThroughTheImagesWarp) {
  AugmentationConfig config = nothing();
  config.rotation_probability = 1;
  config.scaling_probability = 1;
  config.mirror_axes = {0, 1, 2};
  Patch source = numbered({30, 30, 30});
  for (std::size_t i = 0; i < source.image.size(); ++i) {  // two classes: linear = nearest to 0.5
    source.labels[i] = source.labels[i] > 0 ? 1 : 0;
    source.image[i] = source.labels[i];
  }
  for (std::uint64_t step = 0; step < 10; ++step) {
    RandomStream random = stream(step);

    const Patch patch = augment(source, {.size = {16, 16, 16}}, config, random);

    for (std::size_t i = 0; i < patch.image.size(); ++i) {
      if (std::abs(patch.image[i] - 0.5F) > 1e-4F) {
        ASSERT_EQ(patch.labels[i], patch.image[i] > 0.5F ? 1 : 0);
      }
    }
  }
}

TEST(Augment, RefusesWrongRangesAndSizes) {
  AugmentationConfig config;
  config.gamma_range = {1.5, 0.7};
  EXPECT_THROW(check_augmentation(config), ConfigError);
  config = {};
  config.blur_sigma = {1.0};
  EXPECT_THROW(loader_patch_size(config, {8, 8, 8}), ConfigError);
  config = {};
  config.mirror_axes = {3};
  EXPECT_THROW(check_augmentation(config), ConfigError);

  Patch patch = numbered({4, 4, 4});
  patch.labels.pop_back();
  RandomStream random = stream(0);
  EXPECT_THROW(augment(patch, {.size = {2, 2, 2}}, {}, random), ShapeError);
}

TEST(AugmentationConfig, DeclaresEveryKey) {
  AugmentationConfig config;
  ConfigSchema schema;
  config.declare(schema);

  schema.set("scaling_range=[0.8, 1.2]");
  schema.set("mirror_axes=[0, 2]");

  EXPECT_EQ(schema.keys().size(), 21U);
  EXPECT_EQ(config.scaling_range, (std::vector<double>{0.8, 1.2}));
  EXPECT_EQ(config.mirror_axes, (std::vector<std::int64_t>{0, 2}));
  EXPECT_THROW(schema.set("gamma_probability=1.5"), ConfigError);
}

TEST(RightAngles, MoveEveryVoxelWithItsLabel) {
  const Patch patch = numbered({2, 3, 4}, 2);
  // z of the result runs along x from its end, y along z, x along y.
  const Patch found = turned(patch, {{2, 0, 1}, {true, false, false}});

  EXPECT_EQ(found.size, (SizeVox{4, 2, 3}));
  for (std::int64_t z = 0; z < 4; ++z) {
    for (std::int64_t y = 0; y < 2; ++y) {
      for (std::int64_t x = 0; x < 3; ++x) {
        const auto to = static_cast<std::size_t>((z * 2 + y) * 3 + x);
        const auto from = static_cast<std::size_t>((y * 3 + x) * 4 + (3 - z));
        EXPECT_EQ(found.image[to], patch.image[from]);
        EXPECT_EQ(found.image[24 + to], patch.image[24 + from]);
        EXPECT_EQ(found.labels[to], patch.labels[from]);
      }
    }
  }
}

TEST(RightAngles, DrawEveryTurnOfTheCube) {
  std::set<std::pair<std::array<int, 3>, std::array<bool, 3>>> seen;
  int untouched = 0;
  constexpr int kDraws = 4000;
  for (int i = 0; i < kDraws; ++i) {
    RandomStream random = stream(static_cast<std::uint64_t>(i));
    const RightAngles turn = draw_right_angles(random);
    std::array<int, 3> axes = turn.source;
    std::sort(axes.begin(), axes.end());
    ASSERT_EQ(axes, (std::array<int, 3>{0, 1, 2}));
    seen.insert({turn.source, turn.reversed});
    const RightAngles none;
    untouched += turn.source == none.source && turn.reversed == none.reversed ? 1 : 0;
  }

  EXPECT_EQ(seen.size(), 48U);
  // 0.2 for the outer chance, and some of the draws within it.
  EXPECT_NEAR(untouched / static_cast<double>(kDraws), 0.25, 0.04);
}

TEST(Augmentation, OfPresetLnaChangesNoValue) {
  AugmentationConfig config;
  config.preset = "lna";
  const Patch patch = numbered({2, 3, 4});
  RandomStream random = stream(5);

  Patch found = augment(patch, {.size = {2, 3, 4}, .keep_ignore = true}, config, random);

  std::vector<float> wanted = patch.image;
  std::sort(wanted.begin(), wanted.end());
  std::sort(found.image.begin(), found.image.end());
  EXPECT_EQ(found.image, wanted);
  EXPECT_EQ(loader_patch_size(config, {8, 9, 10}), (SizeVox{8, 9, 10}));
}

}  // namespace
}  // namespace hepar
