#include "hepar/nn/volume_input.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <vector>

#include "hepar/core/error.h"

namespace hepar {
namespace {

/// A VOI [1, 2, 1, 2, 4]: an image and its mask.
at::Tensor voi_of(const std::vector<float>& image, const std::vector<float>& mask) {
  return torch::stack({torch::tensor(image), torch::tensor(mask)}).view({1, 2, 1, 2, 4});
}

void expect_channel(const at::Tensor& input, std::int64_t channel,
                    const std::vector<float>& wanted) {
  const at::Tensor found = input.select(1, channel).flatten();
  EXPECT_LE((found - torch::tensor(wanted)).abs().max().item<double>(), 1e-6) << found;
}

TEST(VolumeInput, IsTheVoiUnlessToldOtherwise) {
  const at::Tensor voi = voi_of({1, 2, 3, 4, 5, 6, 7, 8}, {0, 0, 1, 1, 1, 1, 0, 0});

  EXPECT_TRUE(torch::equal(volume_input(voi, {}), voi));
  EXPECT_EQ(input_channels({}, 2), 2);
}

// The liver holds 1, 3, 5 and 7: mean 4, variance (9 + 1 + 1 + 9) / 4 = 5.
TEST(VolumeInput, StandardisesInTheLiverByHand) {
  const at::Tensor voi = voi_of({100, -100, 4, 4, 1, 3, 5, 7}, {0, 0, 0, 0, 1, 1, 1, 1});
  const auto sd = static_cast<float>(std::sqrt(5.0));
  const std::vector<float> image{3, -3, 0, 0, -3 / sd, -1 / sd, 1 / sd, 3 / sd};

  const at::Tensor input = volume_input(voi, {.intensity = "liver", .liver_channel = true});

  ASSERT_EQ(input.size(1), 3);
  EXPECT_EQ(input_channels({.liver_channel = true}, 2), 3);
  expect_channel(input, 0, image);
  expect_channel(input, 1, {0, 0, 0, 0, image[4], image[5], image[6], image[7]});
  expect_channel(input, 2, {0, 0, 0, 0, 1, 1, 1, 1});
}

TEST(VolumeInput, KeepsAVolumeWithoutAMask) {
  const std::vector<float> image{1, -2, 3, -4, 5, -6, 7, -8};
  const at::Tensor with = voi_of({100, -100, 4, 4, 1, 3, 5, 7}, {0, 0, 0, 0, 1, 1, 1, 1});
  const at::Tensor both = torch::cat({voi_of(image, std::vector<float>(8, 0)), with});
  const VolumeInputConfig config{.intensity = "liver", .liver_channel = true};

  const at::Tensor input = volume_input(both, config);

  expect_channel(input.slice(0, 0, 1), 0, image);
  expect_channel(input.slice(0, 0, 1), 1, std::vector<float>(8, 0));
  EXPECT_TRUE(torch::equal(input.slice(0, 1, 2), volume_input(with, config)));
}

TEST(VolumeInput, IsFiniteInAConstantLiver) {
  const at::Tensor voi = voi_of({9, 1, 2, 2, 2, 2, 2, 2}, {0, 0, 1, 1, 1, 1, 1, 1});

  expect_channel(volume_input(voi, {.intensity = "liver"}), 0, {3, -3, 0, 0, 0, 0, 0, 0});
}

TEST(VolumeInput, WantsAMaskWhereItIsRead) {
  const at::Tensor image = torch::ones({1, 1, 2, 2, 2});

  EXPECT_THROW(volume_input(image, {.intensity = "liver"}), ShapeError);
  EXPECT_THROW(volume_input(image, {.liver_channel = true}), ShapeError);
  EXPECT_TRUE(torch::equal(volume_input(image, {}), image));
}

}  // namespace
}  // namespace hepar
