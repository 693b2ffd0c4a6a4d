#include "hepar/data/patch_sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "data/prepared_fixture.h"
#include "hepar/core/error.h"
#include "hepar/core/json.h"

namespace hepar {
namespace {

SizeVox size_of(const Json& json) {
  return {json[0].get<std::int64_t>(), json[1].get<std::int64_t>(), json[2].get<std::int64_t>()};
}

TEST(PatchSampler, DrawsWhatTheRulesSayOnTheSameRandomNumbers) {
  const test::PreparedFixture fixture;
  const PreparedSet set(fixture.folder());
  const Json vectors = read_json(std::filesystem::path(HEPAR_TEST_VECTORS) / "patch_sampler.json");
  std::set<std::size_t> cases;
  for (const Json& run : vectors["runs"]) {
    const PatchSampler sampler(set, {0, 1, 2},
                               {.seed = run["seed"].get<std::uint64_t>(),
                                .global_batch = run["global_batch"].get<std::int64_t>(),
                                .patch = size_of(run["patch"]),
                                .loader_patch = size_of(run["loader_patch"]),
                                .sampling = {}});
    for (const Json& row : run["rows"]) {
      const auto values = row.get<std::vector<std::int64_t>>();

      const PatchRequest request = sampler.at(values[0], values[1]);

      EXPECT_EQ(request.case_index, static_cast<std::size_t>(values[2])) << row;
      EXPECT_EQ(request.box.start, (OffsetVox{values[3], values[4], values[5]})) << row;
      EXPECT_EQ(request.box.size, size_of(run["loader_patch"]));
      EXPECT_EQ(request.forced_foreground, values[6] == 1) << row;
      cases.insert(request.case_index);
    }
  }
  EXPECT_EQ(cases.size(), 3U);
}

TEST(PatchSampler, ReachesBothBoundsAndNothingBeyond) {
  const test::PreparedFixture fixture;
  const PreparedSet set(fixture.folder());
  // Axis z: room (12 − 9), no padding beyond 9 − 6 = 3: starts −2 … 12 + 2 − 9 = 5. Axis y: the
  // loaded patch is larger than the case by 10, the padding is 10: −5 … 30 + 5 − 40 = −5. Axis x:
  // 15 − 12 = 3: −2 … 12.
  const PatchSampler sampler(set, {0},
                             {.seed = 1,
                              .global_batch = 3,
                              .patch = {6, 33, 12},
                              .loader_patch = {9, 40, 15},
                              .sampling = {}});
  std::set<std::int64_t> z;
  std::set<std::int64_t> y;
  std::set<std::int64_t> x;
  for (int step = 0; step < 500; ++step) {
    const PatchRequest request = sampler.at(step, 0);
    z.insert(request.box.start.z);
    y.insert(request.box.start.y);
    x.insert(request.box.start.x);
  }
  EXPECT_EQ(z, (std::set<std::int64_t>{-2, -1, 0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(y, (std::set<std::int64_t>{-5}));
  EXPECT_EQ(*x.begin(), -2);
  EXPECT_EQ(*x.rbegin(), 12);
  EXPECT_EQ(x.size(), 15U);
}

TEST(PatchSampler, CasesAndClassesAreUniform) {
  const test::PreparedFixture fixture;
  const PreparedSet set(fixture.folder());
  // A patch of one voxel is the drawn voxel itself.
  const PatchSampler sampler(set, {0, 1, 2},
                             {.seed = 3,
                              .global_batch = 1,
                              .patch = {1, 1, 1},
                              .loader_patch = {1, 1, 1},
                              .sampling = {.foreground_fraction = 1}});
  constexpr int kDraws = 6000;
  std::array<int, 3> cases{};
  std::array<int, 3> labels_of_a{};
  for (int step = 0; step < kDraws; ++step) {
    const PatchRequest request = sampler.at(step, 0);
    EXPECT_TRUE(request.forced_foreground);
    ++cases[request.case_index];
    std::array<float, 1> image{};
    std::array<std::int16_t, 1> label{};
    set.read_patch(request.case_index, request.box, image, label);
    if (request.case_index == 0) {
      ++labels_of_a[static_cast<std::size_t>(label[0])];
    } else if (request.case_index == 1) {
      EXPECT_EQ(label[0], 2);
    }
  }
  for (const int n : cases) {
    EXPECT_NEAR(n, kDraws / 3, 200);  // standard deviation 37
  }
  EXPECT_EQ(labels_of_a[0], 0);
  // Label 1 has half as many voxels again as label 2, yet both are drawn equally often.
  EXPECT_NEAR(labels_of_a[1], cases[0] / 2, 130);  // standard deviation 22
}

TEST(PatchSampler, TheForcedShareFollowsTheGlobalBatch) {
  const test::PreparedFixture fixture;
  const PreparedSet set(fixture.folder());
  const auto forced = [&](std::int64_t batch, double fraction) {
    const PatchSampler sampler(set, {0},
                               {.seed = 1,
                                .global_batch = batch,
                                .patch = {4, 4, 4},
                                .loader_patch = {4, 4, 4},
                                .sampling = {.foreground_fraction = fraction}});
    std::vector<int> slots;
    for (std::int64_t slot = 0; slot < batch; ++slot) {
      if (sampler.at(0, slot).forced_foreground) {
        slots.push_back(static_cast<int>(slot));
      }
    }
    return slots;
  };
  EXPECT_EQ(forced(2, 0.33), (std::vector<int>{1}));
  EXPECT_EQ(forced(4, 0.33), (std::vector<int>{3}));
  EXPECT_EQ(forced(9, 0.33), (std::vector<int>{6, 7, 8}));
  EXPECT_EQ(forced(3, 0), (std::vector<int>{}));
  EXPECT_EQ(forced(3, 1), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(forced(5, 0.5), (std::vector<int>{2, 3, 4}));  // 2.5 rounds to even
}

TEST(PatchSampler, RefusesWhatCannotBeTrainedOn) {
  const test::PreparedFixture fixture;
  const PreparedSet set(fixture.folder());
  const PatchSampler::Options good{
      .seed = 1, .global_batch = 2, .patch = {4, 4, 4}, .loader_patch = {5, 5, 5}, .sampling = {}};
  EXPECT_THROW(PatchSampler(set, {}, good), ConfigError);
  EXPECT_THROW(PatchSampler(set, {9}, good), ShapeError);
  try {
    PatchSampler(set, {0, 3}, good);
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("case 'd' has no labels"));
  }
  PatchSampler::Options bad = good;
  bad.loader_patch = {5, 3, 5};
  EXPECT_THROW(PatchSampler(set, {0}, bad), ConfigError);
  bad = good;
  bad.sampling.foreground_fraction = 1.5;
  EXPECT_THROW(PatchSampler(set, {0}, bad), ConfigError);
  EXPECT_THROW(static_cast<void>(PatchSampler(set, {0}, good).at(0, 2)), ShapeError);
}

}  // namespace
}  // namespace hepar
