#include <hepar/image/resample.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <vector>

#include <hepar/core/error.h>
#include <hepar/core/json.h>

namespace hepar {
namespace {

// The generator of tests/oracle/resample.py.
class Stream {
 public:
  explicit Stream(std::uint64_t seed) : state_(seed) {}
  std::int64_t next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::int64_t>(state_ >> 40);
  }

 private:
  std::uint64_t state_;
};

std::vector<float> image(std::uint64_t seed, SizeVox size) {
  Stream stream(seed);
  std::vector<float> voxels(static_cast<std::size_t>(count(size)));
  for (float& v : voxels) {
    v = static_cast<float>(static_cast<double>(stream.next()) / (1 << 24) * 200 - 50);
  }
  return voxels;
}

std::vector<std::int16_t> labels(std::uint64_t seed, SizeVox size) {
  constexpr std::array<std::int16_t, 5> kLabels{-1, 0, 1, 2, 5};
  Stream stream(seed);
  std::vector<std::int16_t> coarse(static_cast<std::size_t>(count(size)));
  for (std::int16_t& v : coarse) {
    v = kLabels[static_cast<std::size_t>(stream.next() % 5)];
  }
  std::vector<std::int16_t> voxels(coarse.size());
  for (std::int64_t z = 0; z < size.z; ++z) {
    for (std::int64_t y = 0; y < size.y; ++y) {
      for (std::int64_t x = 0; x < size.x; ++x) {
        voxels[static_cast<std::size_t>(linear_index(size, {z, y, x}))] =
            coarse[static_cast<std::size_t>(linear_index(size, {z / 2, y / 3, x / 2}))];
      }
    }
  }
  return voxels;
}

SizeVox size_of(const Json& json) { return {json[0], json[1], json[2]}; }

Resampling resampling_of(const Json& json) {
  Resampling how{
      .from = size_of(json["from"]), .to = size_of(json["to"]), .separate_axis = {}, .threads = 1};
  if (!json["apart"].is_null()) {
    how.separate_axis = json["apart"].get<int>();
  }
  return how;
}

double largest_difference(const std::vector<float>& found, const std::vector<double>& wanted) {
  double largest = found.size() == wanted.size() ? 0 : 1e9;
  for (std::size_t i = 0; i < std::min(found.size(), wanted.size()); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(found[i]) - wanted[i]));
  }
  return largest;
}

class ResampleVectors : public ::testing::Test {
 protected:
  Json cases_ = read_json(std::filesystem::path(HEPAR_TEST_VECTORS) / "resample.json");
};

constexpr double kRange = 200;  // of the images above

TEST_F(ResampleVectors, CubicEqualsScikitImageToTheBorder) {
  for (const Json& expected : cases_) {
    const Resampling how = resampling_of(expected);
    std::vector<float> out(static_cast<std::size_t>(count(how.to)));

    resample_cubic(image(expected["seed"], how.from), out, how);

    EXPECT_LE(largest_difference(out, expected["cubic"]), 1e-4 * kRange)
        << "case " << expected["seed"];
  }
}

TEST_F(ResampleVectors, LinearEqualsScikitImage) {
  for (const Json& expected : cases_) {
    const Resampling how = resampling_of(expected);
    std::vector<float> out(static_cast<std::size_t>(count(how.to)));

    resample_linear(image(expected["seed"], how.from), out, how);

    EXPECT_LE(largest_difference(out, expected["linear"]), 1e-4 * kRange)
        << "case " << expected["seed"];
  }
}

TEST_F(ResampleVectors, LabelsEqualOneHotLinearPerLabelExactly) {
  for (const Json& expected : cases_) {
    const Resampling how = resampling_of(expected);
    std::vector<std::int16_t> out(static_cast<std::size_t>(count(how.to)));

    resample_labels(labels(expected["seed"], how.from), out, how);

    EXPECT_EQ(out, expected["labels"].get<std::vector<std::int16_t>>())
        << "case " << expected["seed"];
  }
}

TEST_F(ResampleVectors, ThreadsDoNotChangeABit) {
  for (const Json& expected : cases_) {
    Resampling how = resampling_of(expected);
    const std::vector<float> in = image(expected["seed"], how.from);
    std::vector<float> one(static_cast<std::size_t>(count(how.to)));
    std::vector<float> three = one;

    resample_cubic(in, one, how);
    how.threads = 3;
    resample_cubic(in, three, how);

    EXPECT_EQ(one, three) << "case " << expected["seed"];
  }
}

TEST(ResampleCubic, NeverLeavesTheRangeOfTheInput) {
  const Resampling how{.from = {4, 4, 8}, .to = {9, 9, 29}, .separate_axis = {}, .threads = 1};
  std::vector<float> step(static_cast<std::size_t>(count(how.from)), 10.0F);
  for (std::size_t i = 0; i < step.size(); ++i) {
    step[i] = i % 8 < 4 ? -3.0F : 10.0F;
  }
  std::vector<float> out(static_cast<std::size_t>(count(how.to)));

  resample_cubic(step, out, how);

  EXPECT_EQ(*std::min_element(out.begin(), out.end()), -3.0F);
  EXPECT_EQ(*std::max_element(out.begin(), out.end()), 10.0F);
}

TEST(ResampleCubic, KeepsItsPrecisionFarFromZero) {
  const Resampling how{.from = {3, 5, 40}, .to = {4, 7, 57}, .separate_axis = {}, .threads = 1};
  std::vector<float> ramp(static_cast<std::size_t>(count(how.from)));
  for (std::size_t i = 0; i < ramp.size(); ++i) {
    ramp[i] = 30000.0F + static_cast<float>(i % 40);
  }
  std::vector<float> out(static_cast<std::size_t>(count(how.to)));

  resample_cubic(ramp, out, how);

  // A cubic spline reproduces a straight line wherever the replicated edges are far away.
  for (std::int64_t i = 20; i < 37; ++i) {
    const double at = 40.0 / 57.0 * (static_cast<double>(i) + 0.5) - 0.5;
    EXPECT_NEAR(static_cast<double>(out[static_cast<std::size_t>(i)]), 30000 + at, 0.02) << i;
  }
}

TEST(Resample, RefusesSpansOfAnotherSize) {
  const Resampling how{.from = {2, 2, 2}, .to = {3, 3, 3}, .separate_axis = {}, .threads = 1};
  std::vector<float> in(8);
  std::vector<float> out(26);
  std::vector<std::int16_t> labels_in(7);
  std::vector<std::int16_t> labels_out(27);

  EXPECT_THROW(resample_cubic(in, out, how), ShapeError);
  EXPECT_THROW(resample_labels(labels_in, labels_out, how), ShapeError);
}

TEST(ResampledSize, RoundsHalvesToEvenAndKeepsOneVoxel) {
  EXPECT_EQ(resampled_size({5, 7, 3}, {1, 1, 1}, {2, 2, 2}), (SizeVox{2, 4, 2}));
  EXPECT_EQ(resampled_size({1, 10, 100}, {1, 3, 0.8}, {9, 1, 1.6}), (SizeVox{1, 30, 50}));
}

TEST(SeparateAxis, IsTheCoarsestAxisOfTheFirstAnisotropicSpacing) {
  EXPECT_EQ(separate_axis({5, 1, 1}, {1, 1, 1}), 0);
  EXPECT_EQ(separate_axis({1, 1, 3.01}, {4, 1, 1}), 2);
  EXPECT_EQ(separate_axis({1, 1, 1}, {1, 4, 1}), 1);
  EXPECT_EQ(separate_axis({3, 1, 1}, {3, 1, 1}), std::nullopt);           // 3 is not more than 3
  EXPECT_EQ(separate_axis({0.24, 1.25, 1.25}, {5, 1, 1}), std::nullopt);  // two coarsest axes
}

}  // namespace
}  // namespace hepar
