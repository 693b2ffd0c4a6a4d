#include "hepar/train/sliding_window.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "hepar/train/predictor.h"

namespace hepar {
namespace {

// segmentation.md §1.11
TEST(SlidingWindow, TilesAreEvenlySpreadAndRounded) {
  EXPECT_EQ(tile_starts(110, 64, 0.5), (std::vector<std::int64_t>{0, 23, 46}));
  EXPECT_EQ(tile_starts(64, 64, 0.5), (std::vector<std::int64_t>{0}));
  EXPECT_EQ(tile_starts(10, 64, 0.5), (std::vector<std::int64_t>{0}));
}

TEST(SlidingWindow, ImportancePeaksAtTenInTheMiddle) {
  const std::vector<float> map = gaussian_importance({8, 16, 16});

  EXPECT_EQ(map[static_cast<std::size_t>((4 * 16 + 8) * 16 + 8)], 10.0F);
  EXPECT_GT(*std::min_element(map.begin(), map.end()), 0.0F);
  // one voxel off along y: sigma = 2 voxels
  EXPECT_NEAR(map[static_cast<std::size_t>((4 * 16 + 9) * 16 + 8)], 10 * std::exp(-0.125), 1e-5);
}

// A model that answers voxel by voxel must give the same whatever the tiles, padding and mirrors.
TEST(SlidingWindow, AVoxelwiseModelIsReproducedExactly) {
  const at::Tensor image = at::arange(7 * 20 * 13, at::kFloat).reshape({1, 7, 20, 13}) / 100;
  const TileModel model = [](const at::Tensor& tiles) {
    return at::cat({tiles, 1 - 2 * tiles}, 1);
  };

  const at::Tensor logits =
      sliding_window(image, 2, model,
                     {.patch = {8, 8, 8}, .step = 0.5, .mirror_axes = {0, 1, 2}, .tile_batch = 3});

  EXPECT_TRUE(at::allclose(logits, at::cat({image, 1 - 2 * image}, 0), 1e-5, 1e-5));
}

// Mirroring averages model(x) and the flipped-back model(flip(x)): a model that returns the x
// position becomes constant.
TEST(SlidingWindow, MirroringAveragesFlippedAnswers) {
  const at::Tensor image = at::zeros({1, 4, 4, 4});
  const TileModel position = [](const at::Tensor& tiles) {
    return at::arange(4, at::kFloat).expand({tiles.size(0), 1, 4, 4, 4}).contiguous();
  };

  const at::Tensor logits =
      sliding_window(image, 1, position, {.patch = {4, 4, 4}, .mirror_axes = {2}});

  EXPECT_TRUE(at::allclose(logits, at::full({1, 4, 4, 4}, 1.5)));
}

TEST(SlidingWindow, ExportEqualsTrilinearInterpolationAndArgmax) {
  const at::Tensor logits = at::randn({3, 5, 6, 7});
  const at::Tensor resized = at::upsample_trilinear3d(logits.unsqueeze(0), {9, 11, 8}, false)[0];
  const at::Tensor wanted = at::argmax(resized, 0).to(at::kShort).contiguous();

  const std::vector<std::int16_t> labels = export_labels(logits, {9, 11, 8}, std::nullopt, 2);

  const auto* expected = wanted.const_data_ptr<std::int16_t>();
  std::int64_t different = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    different += labels[i] != expected[i] ? 1 : 0;
  }
  EXPECT_LE(different, 1);  // a tie to rounding may fall either way
}

}  // namespace
}  // namespace hepar
