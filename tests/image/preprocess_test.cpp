#include <hepar/image/preprocess.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <hepar/core/error.h>
#include <hepar/core/json.h>

namespace hepar {
namespace {

// The generators of tests/oracle/{resample,preprocess}.py.
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

template <class T, class Value>
Image<T> image_of(const Grid& grid, Value&& value) {
  Image<T> image{grid, {}};
  for (std::int64_t z = 0; z < grid.size.z; ++z) {
    for (std::int64_t y = 0; y < grid.size.y; ++y) {
      for (std::int64_t x = 0; x < grid.size.x; ++x) {
        image.voxels.push_back(value(z, y, x));
      }
    }
  }
  return image;
}

Image<float> body(std::uint64_t seed, const Grid& grid) {
  Stream stream(seed);
  const SizeVox n = grid.size;
  return image_of<float>(grid, [&](std::int64_t z, std::int64_t y, std::int64_t x) {
    const auto value = static_cast<float>(1 + stream.next() % 150);
    const bool box = z >= 2 && z < n.z - 2 && y >= 1 && y < n.y - 2 && x >= 2 && x < n.x - 1;
    const bool hole = z >= 4 && z < 6 && y >= 4 && y < 6 && x >= 4 && x < 6;
    const bool dent = z >= 2 && z < 4 && y >= 3 && y < 5 && x >= 5 && x < 7;
    return box && !hole && !dent ? value : 0.0F;
  });
}

LabelImage labels(std::uint64_t seed, const Grid& grid) {
  constexpr std::array<std::int16_t, 5> kLabels{0, 0, 1, 2, 5};
  Stream stream(seed);
  std::vector<std::int16_t> coarse(static_cast<std::size_t>(count(grid.size)));
  for (std::int16_t& v : coarse) {
    v = kLabels[static_cast<std::size_t>(stream.next() % 5)];
  }
  return image_of<std::int16_t>(grid, [&](std::int64_t z, std::int64_t y, std::int64_t x) {
    return coarse[static_cast<std::size_t>(linear_index(grid.size, {z / 2, y / 3, x / 2}))];
  });
}

template <class V>
V vec(const Json& json) {
  return V{json[0], json[1], json[2]};
}

PreprocessRule rule_of(const Json& json) {
  Normalization channel{.kind = normalization_kind_from(json["kind"], "test"),
                        .mean = json["mean"],
                        .std = json["std"],
                        .percentile_00_5 = json["percentile_00_5"],
                        .percentile_99_5 = json["percentile_99_5"]};
  return {.spacing = vec<SpacingMm>(json["target"]),
          .transpose = json["transpose"].get<std::array<int, 3>>(),
          .channels = {channel}};
}

Grid grid_of(const Json& json) {
  Grid grid;
  grid.size = vec<SizeVox>(json["size"]);
  grid.spacing = vec<SpacingMm>(json["spacing"]);
  return grid;
}

TEST(Preprocess, EqualsNnunetsOrderOfWork) {
  const Json cases = read_json(std::filesystem::path(HEPAR_TEST_VECTORS) / "preprocess.json");
  for (const Json& expected : cases) {
    const std::string name = "case " + expected["seed"].dump();
    const Grid grid = grid_of(expected);
    const LabelImage mask = labels(expected["seed"], grid);
    const bool with_mask = expected["with_mask"];

    const PreparedImage found = preprocess({body(expected["seed"], grid)},
                                           with_mask ? &mask : nullptr, rule_of(expected), 2, name);

    EXPECT_EQ(found.geometry.crop.start, vec<OffsetVox>(expected["crop_start"])) << name;
    EXPECT_EQ(found.geometry.crop.size, vec<SizeVox>(expected["crop_size"])) << name;
    EXPECT_EQ(found.geometry.size, vec<SizeVox>(expected["to"])) << name;
    EXPECT_EQ(found.labels, expected["labels"].get<std::vector<std::int16_t>>()) << name;
    const auto wanted = expected["image"].get<std::vector<double>>();
    const auto [low, high] = std::minmax_element(wanted.begin(), wanted.end());
    ASSERT_EQ(found.channels[0].size(), wanted.size()) << name;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(found.channels[0][i]), wanted[i], 1e-5 * (*high - *low))
          << name << " " << i;
    }
  }
}

Grid small_grid() {
  Grid grid;
  grid.size = {4, 5, 6};
  return grid;
}

PreprocessRule identity_rule(std::size_t channels) {
  return {.spacing = {1, 1, 1},
          .transpose = {0, 1, 2},
          .channels = std::vector<Normalization>(channels,
                                                 Normalization{.kind = NormalizationKind::kNone})};
}

TEST(Preprocess, CropsToTheUnionOfAllChannels) {
  Image<float> first = image_of<float>(small_grid(), [](auto z, auto y, auto x) {
    return z == 1 && y == 2 && x == 3 ? 7.0F : 0.0F;
  });
  Image<float> second = image_of<float>(small_grid(), [](auto z, auto y, auto x) {
    return z == 2 && y == 4 && x == 1 ? -2.0F : 0.0F;
  });

  const PreparedImage found = preprocess({first, second}, nullptr, identity_rule(2), 1, "c");

  EXPECT_EQ(found.geometry.crop, (BoxVox{{1, 2, 1}, {2, 3, 3}}));
  EXPECT_EQ(found.channels[0][2], 7.0F);
  EXPECT_EQ(found.channels[1][15], -2.0F);
  EXPECT_TRUE(found.labels.empty());
}

TEST(Preprocess, RefusesWhatDoesNotFitTogether) {
  const auto one = [](auto, auto, auto) { return 1.0F; };
  const Image<float> image = image_of<float>(small_grid(), one);
  Grid moved = small_grid();
  moved.origin.r = 1;
  const LabelImage mask{moved, std::vector<std::int16_t>(120, 0)};
  const Image<float> blank = image_of<float>(small_grid(), [](auto, auto, auto) { return 0.0F; });

  EXPECT_THROW(preprocess({image}, &mask, identity_rule(1), 1, "c"), DataError);
  EXPECT_THROW(preprocess({image, image_of<float>(moved, one)}, nullptr, identity_rule(2), 1, "c"),
               DataError);
  EXPECT_THROW(preprocess({image}, nullptr, identity_rule(2), 1, "c"), DataError);
  EXPECT_THROW(preprocess({blank}, nullptr, identity_rule(1), 1, "c"), DataError);
  EXPECT_THROW(preprocess({}, nullptr, identity_rule(0), 1, "c"), DataError);
}

TEST(NonzeroBox, IsTheWholeImageWhenAllIsZero) {
  std::vector<std::uint8_t> inside;

  const BoxVox box = nonzero_box({std::vector<float>(24, 0.0F)}, {2, 3, 4}, &inside);

  EXPECT_EQ(box, (BoxVox{{0, 0, 0}, {2, 3, 4}}));
  EXPECT_EQ(std::count(inside.begin(), inside.end(), 1), 0);
}

TEST(NonzeroBox, FillsHolesButNotDiagonalLeaks) {
  // A 5^3 shell around one empty voxel, with an opening that meets the outside only across an edge.
  const SizeVox size{5, 5, 5};
  std::vector<float> shell(125, 0.0F);
  for (std::int64_t z = 1; z < 4; ++z) {
    for (std::int64_t y = 1; y < 4; ++y) {
      for (std::int64_t x = 1; x < 4; ++x) {
        shell[static_cast<std::size_t>(linear_index(size, {z, y, x}))] = 1.0F;
      }
    }
  }
  const auto at = [&size](OffsetVox where) {
    return static_cast<std::size_t>(linear_index(size, where));
  };
  shell[at({2, 2, 2})] = 0;
  shell[at({1, 1, 2})] =
      0;  // an edge of the cube: an edge neighbour of the hole, joined to the outside
  std::vector<std::uint8_t> inside;

  const BoxVox box = nonzero_box({shell}, size, &inside);

  EXPECT_EQ(box, (BoxVox{{1, 1, 1}, {3, 3, 3}}));
  EXPECT_EQ(inside[at({2, 2, 2})], 1);
  EXPECT_EQ(inside[at({1, 1, 2})], 0);
  shell[at({1, 2, 2})] = 0;  // a face of the cube: now the hole is open
  nonzero_box({shell}, size, &inside);
  EXPECT_EQ(inside[at({2, 2, 2})], 0);
}

TEST(NonzeroBox, CountsAPocketThatOpensThroughAnyFaceAsOutside) {
  const SizeVox size{5, 5, 5};
  for (const OffsetVox pocket : {OffsetVox{0, 2, 2}, OffsetVox{4, 2, 2}, OffsetVox{2, 0, 2},
                                 OffsetVox{2, 4, 2}, OffsetVox{2, 2, 0}, OffsetVox{2, 2, 4}}) {
    std::vector<float> solid(125, 1.0F);
    const auto at = static_cast<std::size_t>(linear_index(size, pocket));
    solid[at] = 0;
    std::vector<std::uint8_t> inside;

    nonzero_box({solid}, size, &inside);

    EXPECT_EQ(inside[at], 0) << pocket.z << pocket.y << pocket.x;
  }
}

TEST(RestoreLabels, PutsEveryVoxelBackWhereItCameFrom) {
  Grid grid = small_grid();
  grid.spacing = {3, 1, 2};
  for (const std::array<int, 3> order :
       {std::array{0, 1, 2}, std::array{2, 0, 1}, std::array{1, 2, 0}}) {
    const auto mark = [](auto z, auto y, auto x) {
      const bool inside = z >= 1 && z < 3 && y >= 1 && y < 5 && x >= 2 && x < 5;
      return inside ? static_cast<std::int16_t>(1 + z * 30 + y * 6 + x) : std::int16_t{0};
    };
    const LabelImage original = image_of<std::int16_t>(grid, mark);
    const Image<float> image = image_of<float>(
        grid, [&](auto z, auto y, auto x) { return static_cast<float>(mark(z, y, x)); });
    PreprocessRule rule = identity_rule(1);
    rule.transpose = order;
    const std::array<double, 3> spacing{3, 1, 2};
    rule.spacing = {spacing[static_cast<std::size_t>(order[0])],
                    spacing[static_cast<std::size_t>(order[1])],
                    spacing[static_cast<std::size_t>(order[2])]};

    const PreparedImage prepared = preprocess({image}, &original, rule, 1, "c");
    const LabelImage restored = restore_labels(prepared.labels, prepared.geometry);

    EXPECT_EQ(count(prepared.geometry.crop.size), 2 * 4 * 3);
    EXPECT_EQ(restored.voxels, original.voxels);
    EXPECT_EQ(restored.grid, grid);
  }
}

TEST(RestoreLabels, RefusesACropOfAnotherSize) {
  PreparedGeometry geometry;
  geometry.canonical = small_grid();
  geometry.crop = {{0, 0, 0}, {2, 2, 2}};

  EXPECT_THROW(restore_labels(std::vector<std::int16_t>(7), geometry), ShapeError);
  geometry.crop = {{3, 0, 0}, {2, 2, 2}};
  EXPECT_THROW(restore_labels(std::vector<std::int16_t>(8), geometry), ShapeError);
}

}  // namespace
}  // namespace hepar
