#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <string>
#include <vector>

#include "../../src/data/intensity_transforms.h"
#include "../../src/data/spatial_transform.h"
#include "../../src/data/vector_math.h"
#include "hepar/core/json.h"

namespace hepar {
namespace {

Json vectors(const std::string& key) {
  return read_json(std::string(HEPAR_TEST_VECTORS) + "/augmentation.json").at(key);
}

SizeVox size_of(const Json& shape) { return {shape.at(0), shape.at(1), shape.at(2)}; }

/// The formulas of tests/oracle/augmentation.py.
std::vector<float> image_of(SizeVox size) {
  std::vector<float> image(static_cast<std::size_t>(count(size)));
  for (std::size_t i = 0; i < image.size(); ++i) {
    const auto x = static_cast<double>(i);
    image[i] = static_cast<float>(std::cos(0.37 * x) + 0.5 * std::sin(0.011 * x));
  }
  return image;
}
std::vector<std::int16_t> labels_of(SizeVox size) {
  std::vector<std::int16_t> labels;
  for (std::int64_t z = 0; z < size.z; ++z) {
    for (std::int64_t y = 0; y < size.y; ++y) {
      for (std::int64_t x = 0; x < size.x; ++x) {
        labels.push_back(static_cast<std::int16_t>((z * 3 + y * 2 + x) / 5 % 4 - 1));
      }
    }
  }
  return labels;
}
Patch patch_of(SizeVox size) {
  return {.channels = 1, .size = size, .image = image_of(size), .labels = labels_of(size)};
}

void expect_sampled(const std::vector<float>& found, const Json& expected, std::size_t every,
                    double tolerance) {
  const auto values = expected.get<std::vector<double>>();
  ASSERT_EQ(values.size(), (found.size() + every - 1) / every);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(found[i * every]), values[i], tolerance) << "value " << i;
  }
}

double mean_of(const std::vector<float>& v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

TEST(SpatialTransform, EqualsScipy) {
  const Json cases = vectors("spatial");
  ASSERT_EQ(cases.size(), 5U);
  for (const Json& expected : cases) {
    SCOPED_TRACE(expected.at("name"));
    SpatialDraw draw{.apply = true, .planar = expected.at("planar"), .scale = expected.at("scale")};
    draw.angles = expected.at("angles").get<std::array<double, 3>>();

    const Patch patch = resample_patch(patch_of(size_of(expected.at("source"))),
                                       size_of(expected.at("target")), draw);

    expect_sampled(patch.image, expected.at("image"), 3, 2e-5);
    const auto labels = expected.at("labels").get<std::vector<int>>();
    constexpr int kTie = -99;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] != kTie) {
        ASSERT_EQ(patch.labels[3 * i], labels[i]) << "label " << i;
      }
    }
  }
}

TEST(SpatialTransform, IdentityIsTheCrop) {
  const Patch source = patch_of({8, 9, 10});

  const Patch same = resample_patch(source, source.size, {.apply = true});
  const Patch inner = resample_patch(source, {4, 5, 6}, {.apply = true});

  EXPECT_EQ(same.image, source.image);
  EXPECT_EQ(same.labels, source.labels);
  EXPECT_EQ(inner.image, crop_patch(source, {4, 5, 6}).image);
  EXPECT_EQ(inner.labels, crop_patch(source, {4, 5, 6}).labels);
}

TEST(SpatialTransform, QuarterTurnMovesVoxelsExactly) {
  const Patch source = patch_of({5, 7, 7});
  const SpatialDraw draw{.apply = true, .angles = {std::numbers::pi / 2, 0, 0}};

  const Patch turned = resample_patch(source, source.size, draw);

  // About z: target (y, x) from the centre reads source (−x, y).
  for (std::int64_t z = 0; z < 5; ++z) {
    for (std::int64_t y = 0; y < 7; ++y) {
      for (std::int64_t x = 0; x < 7; ++x) {
        const auto to = static_cast<std::size_t>(linear_index(source.size, {z, y, x}));
        const auto from = static_cast<std::size_t>(linear_index(source.size, {z, 6 - x, y}));
        ASSERT_NEAR(turned.image[to], source.image[from], 1e-5F);
        ASSERT_EQ(turned.labels[to], source.labels[from]);
      }
    }
  }
}

TEST(SpatialTransform, OutsideIsZeroAndMinusOne) {
  const SpatialDraw draw{.apply = true, .scale = 3};

  const Patch patch = resample_patch(patch_of({6, 6, 6}), {6, 6, 6}, draw);

  EXPECT_EQ(patch.image[0], 0);
  EXPECT_EQ(patch.labels[0], -1);
  EXPECT_EQ(patch.labels[215], -1);
}

TEST(SpatialTransform, TiesGoToTheNearestVoxel) {
  Patch source = patch_of({3, 3, 4});
  for (std::size_t i = 0; i < source.labels.size(); ++i) {
    source.labels[i] = static_cast<std::int16_t>(i % 4);
  }

  // Four voxels to three about one centre: every target is half way between two labels.
  const Patch patch = resample_patch(source, {3, 3, 3}, {.apply = true});

  for (std::size_t i = 0; i < patch.labels.size(); ++i) {
    EXPECT_EQ(patch.labels[i], static_cast<std::int16_t>(i % 3 + 1));  // 0.5 rounds up
  }
}

TEST(SpatialTransform, DrawsAnglesAndScalesInTheirRanges) {
  AugmentationConfig config;
  RandomStream random({.seed = 1});
  int rotated = 0, scaled = 0, applied = 0;
  double widest = 0;
  constexpr int kDraws = 5000;
  for (int i = 0; i < kDraws; ++i) {
    const SpatialDraw draw = draw_spatial(config, false, random);
    applied += draw.apply ? 1 : 0;
    rotated += draw.angles[0] != 0 ? 1 : 0;
    scaled += draw.scale != 1 ? 1 : 0;
    for (const double angle : draw.angles) {
      widest = std::max(widest, std::abs(angle));
    }
    ASSERT_GE(draw.scale, 0.7);
    ASSERT_LT(draw.scale, 1.4);
  }
  EXPECT_NEAR(rotated, 0.2 * kDraws, 130);
  EXPECT_NEAR(scaled, 0.2 * kDraws, 130);
  EXPECT_NEAR(applied, 0.36 * kDraws, 150);
  EXPECT_LE(widest, std::numbers::pi / 6);
  EXPECT_GE(widest, 0.99 * std::numbers::pi / 6);

  const SpatialDraw planar = draw_spatial({.rotation_probability = 1}, true, random);
  EXPECT_EQ(planar.angles[0], 0);
  EXPECT_EQ(planar.angles[1], 0);
  EXPECT_NE(planar.angles[2], 0);
}

TEST(Blur, EqualsScipy) {
  for (const Json& expected : vectors("blur")) {
    const SizeVox size = size_of(expected.at("shape"));
    std::vector<float> image = image_of(size);

    blur(image, size, expected.at("sigma").get<std::array<double, 3>>());

    expect_sampled(image, expected.at("image"), 7, 3e-6);
  }
}

TEST(LowResolution, EqualsTorch) {
  for (const Json& expected : vectors("low_resolution")) {
    const SizeVox size = size_of(expected.at("shape"));
    std::vector<float> image = image_of(size);

    lower_resolution(image, size, expected.at("share").get<std::array<double, 3>>());

    expect_sampled(image, expected.at("image"), 7, 3e-6);
  }
}

TEST(Gamma, EqualsTheFormulaAndKeepsTheMoments) {
  for (const Json& expected : vectors("gamma")) {
    std::vector<float> image = image_of(size_of(expected.at("shape")));
    const double mean = mean_of(image);

    apply_gamma(image, {expected.at("gamma"), expected.at("inverted")});

    expect_sampled(image, expected.at("image"), 7, 1e-5);
    EXPECT_NEAR(mean_of(image), mean, 1e-6);
  }
}

TEST(Gamma, LeavesAConstantImageFinite) {
  std::vector<float> image(50, 3.5F);

  apply_gamma(image, {1.3F, true});

  for (const float value : image) {
    EXPECT_FLOAT_EQ(value, 3.5F);
  }
}

TEST(Contrast, EqualsTheFormula) {
  for (const Json& expected : vectors("contrast")) {
    std::vector<float> image = image_of(size_of(expected.at("shape")));

    stretch_contrast(image, expected.at("factor"));

    expect_sampled(image, expected.at("image"), 7, 2e-6);
  }
}

TEST(Noise, IsNormalAndAFunctionOfTheKey) {
  std::vector<float> image(1000003, 0.0F), again(1000, 0.0F), other(1000, 0.0F);

  add_noise(image, 0.5F, 77);
  add_noise(again, 0.5F, 77);
  add_noise(other, 0.5F, 78);

  double second = 0, fourth = 0, neighbours = 0;
  for (std::size_t i = 0; i < image.size(); ++i) {
    const double v = static_cast<double>(image[i]) / 0.5;
    second += v * v;
    fourth += v * v * v * v;
    neighbours += i > 0 ? v * static_cast<double>(image[i - 1]) / 0.5 : 0;
  }
  const auto n = static_cast<double>(image.size());
  EXPECT_NEAR(mean_of(image), 0, 0.002);
  EXPECT_NEAR(second / n, 1, 0.006);
  EXPECT_NEAR(fourth / n, 3, 0.05);
  EXPECT_NEAR(neighbours / n, 0, 0.005);
  EXPECT_TRUE(std::equal(again.begin(), again.end(), image.begin()));
  EXPECT_NE(other, again);
}

TEST(Noise, IsBoxMullerOfPhilox) {
  std::vector<float> image(64, 0.0F);
  const std::uint64_t key = 0x0123456789ABCDEFULL;

  add_noise(image, 1.0F, key);

  for (std::uint32_t lane : {0U, 5U, 15U}) {
    const auto words = philox4x32({lane, 0, 0, 0}, {0x89ABCDEFU, 0x01234567U});
    const auto unit = [](std::uint32_t w) { return static_cast<double>((w >> 8U) + 1) * 0x1p-24; };
    for (std::size_t pair = 0; pair < 2; ++pair) {
      const double radius = std::sqrt(-2 * std::log(unit(words[2 * pair])));
      const double angle = 2 * std::numbers::pi * unit(words[2 * pair + 1]);
      EXPECT_NEAR(image[2 * pair * 16 + lane], radius * std::cos(angle), 2e-5);
      EXPECT_NEAR(image[(2 * pair + 1) * 16 + lane], radius * std::sin(angle), 2e-5);
    }
  }
}

TEST(VectorMath, AgreesWithTheStandardLibrary) {
  for (int i = 1; i <= 100000; ++i) {
    const float u = static_cast<float>(i) * 1e-5F;
    const auto exact = static_cast<double>(u);
    ASSERT_NEAR(vector_log(u), std::log(exact), 2e-7 * std::max(1.0, -std::log(exact)));
    const float x = 160 * u - 80;
    ASSERT_NEAR(static_cast<double>(vector_exp(x)) / std::exp(static_cast<double>(x)), 1, 2e-6);
    ASSERT_NEAR(vector_pow(u, 1.37F), std::pow(exact, static_cast<double>(1.37F)), 5e-7);
    ASSERT_NEAR(vector_sincos(u).sine, std::sin(2 * std::numbers::pi * exact), 4e-7);
    ASSERT_NEAR(vector_sincos(u).cosine, std::cos(2 * std::numbers::pi * exact), 4e-7);
  }
  EXPECT_EQ(vector_pow(0.0F, 1.5F), 0);
  EXPECT_EQ(vector_pow(1.0F, 1.5F), 1);
}

}  // namespace
}  // namespace hepar
