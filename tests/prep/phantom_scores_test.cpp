#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "hepar/core/random.h"
#include "hepar/image/components.h"
#include "phantom/audit_parts.h"
#include "phantom/scores.h"

namespace hepar::phantom {
namespace {

double dice(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  double both = 0, sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += a[i] != 0 && b[i] != 0 ? 1 : 0;
    sum += (a[i] != 0 ? 1 : 0) + (b[i] != 0 ? 1 : 0);
  }
  return sum > 0 ? 2 * both / sum : 0;
}

// The definition itself: every threshold, both directions, ITK's components. Two largest components
// of one size make the largest ambiguous; such thresholds are left out.
double slow_best_dice(const std::vector<std::int16_t>& voxels,
                      const std::vector<std::uint8_t>& mask, SizeVox size) {
  double best = 0;
  const std::set<std::int16_t> thresholds(voxels.begin(), voxels.end());
  for (const std::int16_t threshold : thresholds) {
    for (const bool above : {true, false}) {
      std::vector<std::uint8_t> found(voxels.size());
      for (std::size_t i = 0; i < voxels.size(); ++i) {
        found[i] = (above ? voxels[i] >= threshold : voxels[i] <= threshold) ? 1 : 0;
      }
      auto sizes = connected_components(found, size, Connectivity::kFull26).sizes;
      std::sort(sizes.rbegin(), sizes.rend());
      if (sizes.size() > 1 && sizes[0] == sizes[1]) {
        continue;
      }
      keep_largest_component(found, size);
      best = std::max(best, dice(found, mask));
    }
  }
  return best;
}

TEST(Auc, CountsPairsAndHalfTies) {
  // Pairs (positive, negative): 3>1, 3>2, 2>1 won, 2=2 tied: 3.5 of 4.
  EXPECT_DOUBLE_EQ(auc({{3, 2, 1, 2}, {true, true, false, false}}), 0.875);
  EXPECT_TRUE(std::isnan(auc({{1, 2}, {true, true}})));
}

TEST(WorthlessScore, FailsWhenItTellsTheStageInEitherDirection) {
  ScoredPatients patients;
  RandomStream stream({.seed = 1});
  for (int i = 0; i < 400; ++i) {
    patients.positive.push_back(i % 2 == 1);
    patients.score.push_back(stream.normal());
  }
  ScoredPatients leaking = patients;
  ScoredPatients opposed = patients;
  for (std::size_t i = 0; i < 400; i += 2) {
    leaking.score[i] -= 0.8;  // AUC Φ(0.8 / √2) = 0.71
    opposed.score[i] += 0.8;
  }

  EXPECT_TRUE(worthless("noise", "A", patients).passed());
  EXPECT_FALSE(worthless("leak", "A", leaking).passed());
  EXPECT_FALSE(worthless("leak", "A", opposed).passed());
}

TEST(BestThreshold, FindsWhatIsBrighterThanAllElse) {
  const SizeVox size{1, 1, 6};
  const std::vector<std::int16_t> voxels{0, 5, 6, 7, 0, 9};
  const std::vector<std::uint8_t> mask{0, 1, 1, 1, 0, 0};

  // ≥ 5 leaves {1, 2, 3} and {5}; the larger one is the mask.
  EXPECT_DOUBLE_EQ(best_threshold_dice(voxels, mask, size), 1.0);
}

TEST(BestThreshold, CannotPartNeighboursOfOneBrightness) {
  const SizeVox size{1, 1, 8};
  const std::vector<std::int16_t> voxels{0, 5, 5, 5, 5, 5, 0, 0};
  const std::vector<std::uint8_t> mask{0, 1, 1, 0, 0, 0, 0, 0};

  EXPECT_DOUBLE_EQ(best_threshold_dice(voxels, mask, size), 2.0 * 2 / (5 + 2));
}

TEST(BestThreshold, LooksInBothDirections) {
  const SizeVox size{1, 1, 5};
  const std::vector<std::int16_t> voxels{9, 9, 1, 1, 9};
  const std::vector<std::uint8_t> mask{0, 0, 1, 1, 0};

  EXPECT_DOUBLE_EQ(best_threshold_dice(voxels, mask, size), 1.0);
}

TEST(BestThreshold, EqualsTryingEveryThreshold) {
  const SizeVox size{5, 7, 6};
  RandomStream stream({.seed = 3});
  for (int round = 0; round < 10; ++round) {
    std::vector<std::int16_t> voxels;
    std::vector<std::uint8_t> mask;
    for (std::int64_t i = 0; i < count(size); ++i) {
      mask.push_back(i % 6 < 3 && i / 42 > 1 ? 1 : 0);
      voxels.push_back(static_cast<std::int16_t>(stream.integer(30) + (mask.back() != 0 ? 12 : 0)));
    }

    const double fast = best_threshold_dice(voxels, mask, size);
    const double slow = slow_best_dice(voxels, mask, size);
    EXPECT_GE(fast, slow - 1e-12);
    EXPECT_NEAR(fast, slow, 0.02) << "only a tie between largest components may differ";
  }
}

TEST(RegionStatistics, AreThoseOfASmallBlock) {
  Grid grid;
  grid.size = {2, 3, 4};
  grid.spacing = {10, 10, 5};
  std::vector<std::int16_t> voxels(24, 1);
  std::vector<std::uint8_t> mask(24);
  for (const OffsetVox at : {OffsetVox{0, 1, 1}, OffsetVox{0, 1, 2}}) {
    mask[static_cast<std::size_t>(linear_index(grid.size, at))] = 1;
    voxels[static_cast<std::size_t>(linear_index(grid.size, at))] =
        static_cast<std::int16_t>(10 * at.x);
  }

  const RegionStatistics found = region_statistics(voxels, mask, grid);

  EXPECT_DOUBLE_EQ(found.mean, 15);
  EXPECT_DOUBLE_EQ(found.sd, 5);
  EXPECT_DOUBLE_EQ(found.volume_ml, 1);
  EXPECT_DOUBLE_EQ(found.box_ml, 1);
  EXPECT_DOUBLE_EQ(found.compactness, 10 / std::cbrt(4.0));
}

}  // namespace
}  // namespace hepar::phantom
