#include "hepar/image/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "hepar/core/error.h"

namespace hepar {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class T>
StoredImage stored(VoxelType type, const std::vector<T>& values) {
  StoredImage image;
  image.grid.size = {.z = static_cast<std::int64_t>(values.size()) / 2, .y = 1, .x = 2};
  image.type = type;
  image.voxels.resize(values.size() * sizeof(T));
  std::memcpy(image.voxels.data(), values.data(), image.voxels.size());
  return image;
}

template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(ToFloat, AppliesSlopeAndInterceptInDouble) {
  // 65535 · 2.04 + 0.1: in float arithmetic the last digit differs.
  StoredImage image = stored<std::uint16_t>(VoxelType::kUint16, {0, 1, 2, 65535});
  image.slope = 2.04;
  image.intercept = 0.1;

  const Image<float> result = to_float(image, "case 1");

  EXPECT_EQ(result.grid, image.grid);
  EXPECT_THAT(result.voxels,
              ElementsAre(0.1F, 2.14F, 4.18F, static_cast<float>(65535 * 2.04 + 0.1)));
}

TEST(ToFloat, NamesTheFirstVoxelThatIsNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const StoredImage image = stored<float>(VoxelType::kFloat32, {1, 2, 3, nan, nan, 0});

  EXPECT_THAT(refusal([&] { to_float(image, "case 7"); }),
              AllOf(HasSubstr("case 7"), HasSubstr("voxel (1,0,1) is nan")));
}

TEST(ToFloat, RefusesAValueThatFloatCannotHold) {
  EXPECT_THAT(refusal([&] {
                to_float(stored<double>(VoxelType::kFloat64, {0, -1e300}), "x");
              }),
              HasSubstr("voxel (0,0,1) is -1e+300"));
}

TEST(ToLabels, TakesIntegersOfEveryType) {
  EXPECT_THAT(to_labels(stored<double>(VoxelType::kFloat64, {0, -1, 4, 32767}), "x").voxels,
              ElementsAre(0, -1, 4, 32767));
  EXPECT_THAT(to_labels(stored<std::uint8_t>(VoxelType::kUint8, {0, 255}), "x").voxels,
              ElementsAre(0, 255));
  StoredImage scaled = stored<std::uint8_t>(VoxelType::kUint8, {0, 255});
  scaled.slope = static_cast<double>(4.0F / 255.0F);  // as a NIfTI-1 header rounds it
  EXPECT_THAT(to_labels(scaled, "x").voxels, ElementsAre(0, 4));
}

TEST(ToLabels, RefusesWhatIsNoLabelWithPositionAndValue) {
  const auto reason = [](std::vector<double> values) {
    return refusal(
        [&] { to_labels(stored<double>(VoxelType::kFloat64, values), "mask of case 3"); });
  };
  EXPECT_THAT(reason({0, 0, 0.5, 1}),
              AllOf(HasSubstr("mask of case 3"), HasSubstr("voxel (1,0,0) is 0.5")));
  EXPECT_THAT(reason({0, 40000}), HasSubstr("voxel (0,0,1) is 40000"));
  EXPECT_THAT(reason({-40000, 0}), HasSubstr("voxel (0,0,0) is -40000"));
  EXPECT_THAT(reason({std::numeric_limits<double>::quiet_NaN(), 0}), HasSubstr("is nan"));
  EXPECT_THAT(reason({std::numeric_limits<double>::infinity(), 0}), HasSubstr("is inf"));
}

TEST(ToLabels, RefusesAnImageOfTheWrongLength) {
  StoredImage image = stored<std::int16_t>(VoxelType::kInt16, {1, 2, 3, 4});
  image.voxels.pop_back();

  EXPECT_THAT(refusal([&] { to_labels(image, "x"); }), HasSubstr("wanted 8 bytes"));
  EXPECT_THAT(refusal([&] { to_float(image, "x"); }), HasSubstr("found 7"));
}

TEST(FromLabels, TakesTheSmallestTypeThatHoldsThem) {
  const auto labels = [](std::vector<std::int16_t> values) {
    LabelImage image;
    image.grid.size = {.z = 1, .y = 1, .x = static_cast<std::int64_t>(values.size())};
    image.voxels = std::move(values);
    return image;
  };
  for (const auto& [values, type] :
       {std::pair<std::vector<std::int16_t>, VoxelType>{{0, 255}, VoxelType::kUint8},
        {{0, 256}, VoxelType::kUint16},
        {{-1, 3}, VoxelType::kInt16}}) {
    const StoredImage image = from_labels(labels(values));
    EXPECT_EQ(image.type, type);
    EXPECT_EQ(to_labels(image, "x").voxels, values);
  }
}

TEST(FromFloat, IsUndoneByToFloat) {
  Image<float> image;
  image.grid.size = {.z = 1, .y = 1, .x = 3};
  image.voxels = {0.1F, -3e38F, 7};

  const StoredImage result = from_float(image);

  EXPECT_EQ(result.type, VoxelType::kFloat32);
  EXPECT_EQ(to_float(result, "x").voxels, image.voxels);
}

}  // namespace
}  // namespace hepar
