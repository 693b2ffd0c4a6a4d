#include "hepar/image/orientation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "hepar/core/error.h"
#include "hepar/core/json.h"
#include "hepar/image/nifti.h"
#include "support/temporary.h"

namespace hepar {
namespace {

using ::testing::ElementsAre;

/// The grid of a NIfTI shape and affine, both in the order x, y, z.
Grid grid_of(const Json& shape, const Json& affine) {
  Grid grid;
  for (std::size_t j = 0; j < 3; ++j) {
    const auto m = [&](std::size_t i) { return affine[4 * i + j].get<double>(); };
    const double length = std::hypot(m(0), m(1), m(2));
    const int axis = 2 - static_cast<int>(j);
    grid.size[axis] = shape[j].get<std::int64_t>();
    grid.spacing[axis] = length;
    grid.axis[static_cast<std::size_t>(axis)] = {m(0) / length, m(1) / length, m(2) / length};
  }
  grid.origin = {affine[3].get<double>(), affine[7].get<double>(), affine[11].get<double>()};
  return grid;
}

Image<std::int16_t> counting(const Grid& grid) {
  Image<std::int16_t> image{grid,
                            std::vector<std::int16_t>(static_cast<std::size_t>(count(grid.size)))};
  std::iota(image.voxels.begin(), image.voxels.end(), std::int16_t{0});
  return image;
}

StoredImage stored(const Image<std::int16_t>& image) {
  StoredImage result;
  result.grid = image.grid;
  result.slope = 2;
  result.notes = {"a note"};
  const auto bytes = std::as_bytes(std::span(image.voxels));
  result.voxels.assign(bytes.begin(), bytes.end());
  return result;
}

TEST(Orientation, EqualsNibabelOnFlipsPermutationsAndObliques) {
  const Json vectors = read_json(std::filesystem::path(HEPAR_TEST_VECTORS) / "nifti.json");
  ASSERT_EQ(vectors["orientations"].size(), 108U);
  for (const Json& vector : vectors["orientations"]) {
    SCOPED_TRACE(vector["affine"].dump());
    const auto image = counting(grid_of(vector["shape"], vector["affine"]));

    const auto canonical = reorient(image, to_canonical(image.grid));

    const Grid wanted = grid_of(vector["canonical_shape"], vector["canonical_affine"]);
    EXPECT_TRUE(same_grid(canonical.grid, wanted, 1e-9));
    EXPECT_EQ(canonical.voxels, vector["canonical_voxels"].get<std::vector<std::int16_t>>());
  }
}

TEST(Orientation, AndBackIsExact) {
  const Json vectors = read_json(std::filesystem::path(HEPAR_TEST_VECTORS) / "nifti.json");
  for (const Json& vector : vectors["orientations"]) {
    const auto image = counting(grid_of(vector["shape"], vector["affine"]));
    const Reorientation how = to_canonical(image.grid);

    const auto back = reorient(reorient(image, how), inverse(how));

    EXPECT_EQ(back.voxels, image.voxels);
    EXPECT_TRUE(same_grid(back.grid, image.grid, 1e-9));
    EXPECT_EQ(inverse(inverse(how)), how);
    EXPECT_EQ(to_canonical(reorient(image.grid, how)), Reorientation{});
  }
}

TEST(Orientation, MovesStoredVoxelsOfEveryWidthTheSameWay) {
  Grid grid;
  grid.size = {.z = 2, .y = 3, .x = 4};
  const Reorientation how{.source_axis = {2, 0, 1}, .flipped = {true, false, true}};
  const auto image = counting(grid);
  const auto moved = reorient(image, how);

  const StoredImage result = reorient(stored(image), how);

  EXPECT_EQ(result.voxels, stored(moved).voxels);
  EXPECT_EQ(result.grid, moved.grid);
  EXPECT_EQ(result.slope, 2);
  EXPECT_THAT(result.notes, ElementsAre("a note"));
  for (const VoxelType type : {VoxelType::kUint8, VoxelType::kFloat32, VoxelType::kFloat64}) {
    LabelImage labels{grid, image.voxels};
    StoredImage other;
    other.grid = grid;
    other.type = type;
    with_voxel_type(type, [&](auto zero) {
      using T = decltype(zero);
      const std::vector<T> values(image.voxels.begin(), image.voxels.end());
      const auto bytes = std::as_bytes(std::span(values));
      other.voxels.assign(bytes.begin(), bytes.end());
    });
    EXPECT_EQ(to_labels(reorient(other, how), "x").voxels, moved.voxels);
  }
}

TEST(Orientation, KeepsEveryVoxelAtItsPlaceInThePatient) {
  Grid grid;
  grid.size = {.z = 2, .y = 3, .x = 4};
  grid.spacing = {.z = 5, .y = 1.25, .x = 0.75};
  grid.origin = {-12.5, 20.25, -300};
  grid.axis = {WorldMm{0, -0.6, 0.8}, WorldMm{0, 0.8, 0.6}, WorldMm{-1, 0, 0}};

  const Grid canonical = reorient(grid, to_canonical(grid));

  // x is flipped (it pointed left), so canonical (1, 2, 0) is the file's (1, 2, 3).
  const WorldMm here = to_world(canonical, 1, 2, 0);
  const WorldMm there = to_world(grid, 1, 2, 3);
  EXPECT_NEAR(here.r, there.r, 1e-12);
  EXPECT_NEAR(here.a, there.a, 1e-12);
  EXPECT_NEAR(here.s, there.s, 1e-12);
  EXPECT_GT(canonical.axis[2].r, 0);
}

TEST(Transposition, TakesAxesInTheGivenOrder) {
  Grid grid;
  grid.size = {.z = 2, .y = 3, .x = 4};

  const Grid turned = reorient(grid, transposition({2, 0, 1}));

  EXPECT_EQ(turned.size, (SizeVox{.z = 4, .y = 2, .x = 3}));
  EXPECT_EQ(reorient(turned, inverse(transposition({2, 0, 1}))), grid);
  EXPECT_THROW(transposition({0, 0, 1}), ShapeError);
  EXPECT_THROW(transposition({0, 1, 3}), ShapeError);
}

TEST(Orientation, RefusesAnImageOfTheWrongLength) {
  Image<float> image;
  image.grid.size = {.z = 1, .y = 2, .x = 3};
  image.voxels.resize(5);

  EXPECT_THROW(reorient(image, Reorientation{}), ShapeError);
}

}  // namespace
}  // namespace hepar
