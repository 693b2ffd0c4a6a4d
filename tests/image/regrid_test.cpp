#include "hepar/image/regrid.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace hepar::test {
namespace {

/// A linear function of the patient position: linear interpolation reproduces it exactly.
double ramp(const WorldMm& at) { return 3 + 0.5 * at.r - 0.25 * at.a + 0.125 * at.s; }

Grid oblique(SizeVox size, SpacingMm spacing, double degrees) {
  const double angle = degrees * std::numbers::pi / 180;
  Grid grid{.size = size, .spacing = spacing, .origin = {-20, 5, 11}};
  grid.axis = {WorldMm{0, -std::sin(angle), std::cos(angle)},
               WorldMm{0, std::cos(angle), std::sin(angle)}, WorldMm{1, 0, 0}};
  return grid;
}

template <class Value>
auto filled(const Grid& grid, Value value) {
  Image<float> image{grid, {}};
  for (std::int64_t z = 0; z < grid.size.z; ++z) {
    for (std::int64_t y = 0; y < grid.size.y; ++y) {
      for (std::int64_t x = 0; x < grid.size.x; ++x) {
        image.voxels.push_back(static_cast<float>(value(to_world(
            grid, static_cast<double>(z), static_cast<double>(y), static_cast<double>(x)))));
      }
    }
  }
  return image;
}

TEST(Regrid, IsotropicGridTruncatesTheSizeAndKeepsTheOrigin) {
  const Grid grid = oblique({20, 33, 40}, {4, 1.7, 1.5}, 10);
  const Grid fine = isotropic_grid(grid, 1.5);

  EXPECT_EQ(fine.size, (SizeVox{53, 37, 40}));  // 53.3, 37.4, 40
  EXPECT_EQ(fine.spacing, (SpacingMm{1.5, 1.5, 1.5}));
  EXPECT_EQ(fine.origin, grid.origin);
  EXPECT_EQ(isotropic_grid({.size = {1, 1, 1}, .spacing = {1, 1, 1}, .origin = {}}, 3).size,
            (SizeVox{1, 1, 1}));
}

TEST(Regrid, LinearReproducesALinearFunctionBetweenObliqueGrids) {
  const Image<float> image = filled(oblique({20, 30, 40}, {4, 2, 1.5}, 12), ramp);
  Grid target = oblique({6, 7, 8}, {3, 2.5, 3.5}, -7);
  target.origin = {-5, 30, 40};

  const Image<float> found = regrid_linear(image, target, 2);

  const Image<float> wanted = filled(target, ramp);
  ASSERT_EQ(found.voxels.size(), wanted.voxels.size());
  for (std::size_t i = 0; i < wanted.voxels.size(); ++i) {
    ASSERT_NEAR(found.voxels[i], wanted.voxels[i], 1e-3) << "voxel " << i;
  }
}

TEST(Regrid, LabelsTakeTheNearestVoxelAndAreZeroOutside) {
  LabelImage labels{{.size = {1, 1, 4}, .spacing = {1, 1, 2}, .origin = {}}, {5, 6, 7, 8}};
  const Grid target{.size = {1, 1, 6}, .spacing = {1, 1, 1.5}, .origin = {0.4, 0, 0}};

  // Centres at 0.4, 1.9, 3.4, 4.9, 6.4 and 7.9 mm, voxels at 0, 2, 4 and 6 mm.
  EXPECT_EQ(regrid_nearest(labels, target, 1).voxels,
            (std::vector<std::int16_t>{5, 6, 7, 7, 8, 0}));
}

}  // namespace
}  // namespace hepar::test
