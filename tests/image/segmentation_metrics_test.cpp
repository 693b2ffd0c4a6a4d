#include <hepar/image/segmentation_metrics.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <hepar/core/error.h>
#include <hepar/core/json.h>

namespace hepar {
namespace {

using Mask = std::vector<std::uint8_t>;

// Calls paint(voxel) for every voxel for which inside(z, y, x) holds.
template <class Inside>
void fill(Mask& mask, SizeVox size, std::uint8_t value, Inside&& inside) {
  for (std::int64_t z = 0; z < size.z; ++z) {
    for (std::int64_t y = 0; y < size.y; ++y) {
      for (std::int64_t x = 0; x < size.x; ++x) {
        if (inside(z, y, x)) {
          mask[static_cast<std::size_t>(linear_index(size, {z, y, x}))] = value;
        }
      }
    }
  }
}

// The drawing steps of tests/oracle/metrics.py.
Mask draw(const Json& steps, SizeVox size) {
  Mask mask(static_cast<std::size_t>(count(size)), 0);
  for (const Json& step : steps) {
    const std::string kind = step[0];
    std::vector<std::int64_t> a;
    for (std::size_t i = 1; i < step.size(); ++i) {
      a.push_back(step[i]);
    }
    if (kind == "noise") {
      auto state = static_cast<std::uint64_t>(a[0]);
      for (std::uint8_t& voxel : mask) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        voxel |= static_cast<std::int64_t>((state >> 40) % 1000) < a[1] ? 1 : 0;
      }
    } else if (kind == "ball") {
      fill(mask, size, 1, [&a](std::int64_t z, std::int64_t y, std::int64_t x) {
        return (z - a[0]) * (z - a[0]) + (y - a[1]) * (y - a[1]) + (x - a[2]) * (x - a[2]) <= a[3];
      });
    } else {
      fill(mask, size, kind == "box" ? 1 : 0, [&a](std::int64_t z, std::int64_t y, std::int64_t x) {
        return z >= a[0] && y >= a[1] && x >= a[2] && z < a[3] && y < a[4] && x < a[5];
      });
    }
  }
  return mask;
}

struct Pair {
  explicit Pair(const Json& json)
      : size{json["size"][0], json["size"][1], json["size"][2]},
        spacing{json["spacing"][0], json["spacing"][1], json["spacing"][2]},
        prediction(draw(json["prediction"], size)),
        reference(draw(json["reference"], size)) {}
  SizeVox size;
  SpacingMm spacing;
  Mask prediction, reference;
};

void expect_relative(std::optional<double> found, double wanted, const std::string& what) {
  ASSERT_TRUE(found.has_value()) << what;
  EXPECT_LE(std::abs(*found - wanted), 1e-6 * std::abs(wanted))
      << what << ": " << *found << " vs " << wanted;
}

class MetricVectors : public ::testing::Test {
 protected:
  Json cases_ = read_json(std::filesystem::path(HEPAR_TEST_VECTORS) / "metrics.json");
};

TEST_F(MetricVectors, EqualMonaiOnTwoHundredPairs) {
  int compared = 0;
  for (const Json& expected : cases_) {
    const Pair pair(expected);
    const std::string name = expected["name"];

    const MaskScores scores = score_masks(pair.prediction, pair.reference, pair.size, pair.spacing);

    expect_relative(scores.dsc, expected["dsc"], name + " dsc");
    ++compared;
    if (expected.contains("hd")) {
      expect_relative(scores.hd_mm, expected["hd"], name + " hd");
      expect_relative(scores.hd95_mm, expected["hd95"], name + " hd95");
      expect_relative(scores.assd_mm, expected["assd"], name + " assd");
      expect_relative(scores.hd95_pooled_mm, expected["hd95_pooled"], name + " pooled hd95");
    }
  }
  EXPECT_EQ(compared, 200);
}

TEST_F(MetricVectors, EqualSimpleItkWhereSetsAndSurfacesAgree) {
  int agreeing = 0;
  int differing = 0;
  for (const Json& expected : cases_) {
    if (!expected.contains("sitk_hd")) {
      continue;
    }
    const Pair pair(expected);
    if (!expected["agree"].get<bool>()) {
      ++differing;
      EXPECT_NE(expected["hd"].get<double>(), expected["sitk_hd"].get<double>());
      continue;
    }

    const MaskScores scores = score_masks(pair.prediction, pair.reference, pair.size, pair.spacing);

    expect_relative(scores.hd_mm, expected["sitk_hd"], expected["name"].get<std::string>());
    ++agreeing;
  }
  EXPECT_GE(agreeing, 150);
  EXPECT_GE(differing,
            1);  // hollow masks and noise: distances between sets are others than between surfaces
}

TEST_F(MetricVectors, DistancesEqualBruteForce) {
  for (std::size_t i = 0; i < cases_.size(); i += 7) {
    const Pair pair(cases_[i]);
    const auto from = surface_voxels(pair.prediction, pair.size);
    const auto to = surface_voxels(pair.reference, pair.size);
    if (from.empty() || to.empty() || from.size() * to.size() > 1'000'000) {
      continue;
    }

    const auto found = surface_distances(pair.prediction, pair.reference, pair.size, pair.spacing);

    ASSERT_EQ(found.size(), from.size());
    const SizeVox n = pair.size;
    for (std::size_t k = 0; k < from.size(); ++k) {
      double nearest = std::numeric_limits<double>::infinity();
      for (const std::int64_t t : to) {
        const auto dz =
            static_cast<double>(from[k] / (n.y * n.x) - t / (n.y * n.x)) * pair.spacing.z;
        const auto dy = static_cast<double>(from[k] / n.x % n.y - t / n.x % n.y) * pair.spacing.y;
        const auto dx = static_cast<double>(from[k] % n.x - t % n.x) * pair.spacing.x;
        nearest = std::min(nearest, std::sqrt(dz * dz + dy * dy + dx * dx));
      }
      ASSERT_NEAR(found[k], nearest, 1e-9 * (1 + nearest))
          << cases_[i]["name"] << " voxel " << from[k];
    }
  }
}

TEST(ScoreMasks, SpikeSeparatesTheThreeHausdorffConventions) {
  // A 5x5x19 spike on a 15^3 cube: maximum 11, MONAI's 95th percentile 8, the pooled one 4.
  const SizeVox size{40, 30, 30};
  Mask cube(static_cast<std::size_t>(count(size)), 0);
  fill(cube, size, 1, [](std::int64_t z, std::int64_t y, std::int64_t x) {
    return z >= 2 && z < 17 && y >= 5 && y < 20 && x >= 5 && x < 20;
  });
  Mask spiked = cube;
  fill(spiked, size, 1, [](std::int64_t z, std::int64_t y, std::int64_t x) {
    return z >= 9 && z < 28 && y >= 10 && y < 15 && x >= 10 && x < 15;
  });

  const MaskScores scores = score_masks(spiked, cube, size, {1, 1, 1});

  EXPECT_DOUBLE_EQ(scores.hd_mm.value(), 11);
  EXPECT_LT(*scores.hd95_pooled_mm, *scores.hd95_mm);
  EXPECT_LT(*scores.hd95_mm, *scores.hd_mm);
}

TEST(ScoreMasks, BothEmptyIsPerfectAndFlagged) {
  const Mask empty(27, 0);

  const MaskScores scores = score_masks(empty, empty, {3, 3, 3}, {1, 2, 3});

  EXPECT_TRUE(scores.both_empty);
  EXPECT_EQ(scores.dsc, 1);
  EXPECT_EQ(scores.hd_mm, 0);
  EXPECT_EQ(scores.hd95_mm, 0);
  EXPECT_TRUE(scores.undefined_reason.empty());
}

TEST(ScoreMasks, OneEmptyLeavesDistancesUndefinedWithTheReason) {
  const Mask empty(27, 0);
  const Mask full(27, 1);

  const MaskScores missed = score_masks(empty, full, {3, 3, 3}, {1, 1, 1});
  const MaskScores invented = score_masks(full, empty, {3, 3, 3}, {1, 1, 1});

  EXPECT_EQ(missed.dsc, 0);
  EXPECT_FALSE(missed.hd_mm || missed.hd95_mm || missed.assd_mm || missed.hd95_pooled_mm);
  EXPECT_EQ(missed.undefined_reason, "prediction empty");
  EXPECT_EQ(invented.undefined_reason, "reference empty");
}

TEST(ScoreMasks, UsesTheSpacingOfItsOwnAxis) {
  const SizeVox size{5, 6, 7};
  Mask a(static_cast<std::size_t>(count(size)), 0);
  a[static_cast<std::size_t>(linear_index(size, {1, 1, 1}))] = 1;
  const auto moved = [&size](OffsetVox at) {
    Mask b(static_cast<std::size_t>(count(size)), 0);
    b[static_cast<std::size_t>(linear_index(size, at))] = 255;
    return b;
  };

  EXPECT_DOUBLE_EQ(score_masks(a, moved({3, 1, 1}), size, {7.7, 1.25, 0.5}).hd_mm.value(), 15.4);
  EXPECT_DOUBLE_EQ(score_masks(a, moved({1, 3, 1}), size, {7.7, 1.25, 0.5}).hd_mm.value(), 2.5);
  EXPECT_DOUBLE_EQ(score_masks(a, moved({1, 1, 3}), size, {7.7, 1.25, 0.5}).hd_mm.value(), 1.0);
}

TEST(ScoreMasks, RefusesMasksOfAnotherSize) {
  EXPECT_THROW(score_masks(Mask(26), Mask(26), {3, 3, 3}, {1, 1, 1}), ShapeError);
}

}  // namespace
}  // namespace hepar
