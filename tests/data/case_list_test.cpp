#include "hepar/data/case_list.h"

#include <gtest/gtest.h>

#include "data/prepared_fixture.h"
#include "hepar/core/error.h"
#include "hepar/data/patch_sampler.h"

namespace hepar {
namespace {

constexpr SizeVox kPatch{4, 4, 4};

class CaseLists : public testing::Test {
 protected:
  [[nodiscard]] PatchSampler::Options options() const {
    return {.seed = 3,
            .global_batch = 4,
            .patch = kPatch,
            .loader_patch = kPatch,
            .sampling = {.foreground_fraction = 0.5}};
  }
  /// Share of the patches of each case.
  [[nodiscard]] std::vector<double> shares(const PatchSampler& sampler) const {
    std::vector<double> shares(list.size(), 0);
    constexpr int kSteps = 2000;
    for (int step = 0; step < kSteps; ++step) {
      for (int slot = 0; slot < 4; ++slot) {
        shares[sampler.at(step, slot).case_index] += 1.0 / (4 * kSteps);
      }
    }
    return shares;
  }

  test::PreparedFixture first_files, second_files;
  PreparedSet first{first_files.folder()}, second{second_files.folder()};
  CaseList list{{&first, &second}};
};

TEST_F(CaseLists, AreTheSetsOneAfterAnother) {
  ASSERT_EQ(list.size(), 8U);
  EXPECT_EQ(list.set_of(3), 0U);
  EXPECT_EQ(list.set_of(4), 1U);
  EXPECT_EQ(list.record(5).id, "b");
  EXPECT_EQ(list.name(5), second_files.folder().string() + ": case 'b'");
  EXPECT_EQ(CaseList(first).name(1), "case 'b'");
  EXPECT_THROW(static_cast<void>(list.record(8)), ShapeError);
  const Patch patch = list.patch(6, {{1, 2, 3}, kPatch});
  std::vector<float> image(64);
  std::vector<std::int16_t> labels(64);
  second.read_patch(2, {{1, 2, 3}, kPatch}, image, labels);
  EXPECT_EQ(patch.image, image);
  EXPECT_EQ(patch.labels, labels);
  EXPECT_EQ(list.foreground(4, 1).size(), first.foreground(0, 1).size());
}

TEST_F(CaseLists, AreDrawnUniformlyOverAllTheirCases) {
  const std::vector<double> found = shares(PatchSampler(list, {0, 1, 2, 4}, options()));

  for (const std::size_t i : {0, 1, 2, 4}) {
    EXPECT_NEAR(found[i], 0.25, 0.02) << i;
  }
}

TEST_F(CaseLists, AreDrawnByTheWeightsOfTheirSets) {
  PatchSampler::Options weighted = options();
  weighted.set_weights = {1, 3};

  const std::vector<double> found = shares(PatchSampler(list, {0, 1, 4}, weighted));

  EXPECT_NEAR(found[0], 0.2, 0.02);
  EXPECT_NEAR(found[1], 0.2, 0.02);
  EXPECT_NEAR(found[4], 0.6, 0.02);
  weighted.set_weights = {0, 2};
  EXPECT_NEAR(shares(PatchSampler(list, {0, 1, 4}, weighted))[4], 1, 1e-9);
}

TEST_F(CaseLists, EqualWeightsChangeNoDraw) {
  PatchSampler::Options weighted = options();
  weighted.set_weights = {2, 2};
  const PatchSampler plain(list, {0, 1, 4}, options()), equal(list, {0, 1, 4}, weighted);
  for (int step = 0; step < 50; ++step) {
    EXPECT_EQ(plain.at(step, 1).case_index, equal.at(step, 1).case_index);
    EXPECT_EQ(plain.at(step, 1).box, equal.at(step, 1).box);
  }
}

TEST_F(CaseLists, RefuseWeightsThatDoNotFit) {
  PatchSampler::Options wrong = options();
  for (const std::vector<double>& weights :
       {std::vector<double>{1}, {1, 2, 3}, {1, -1}, {1, 0}, {0, 0}}) {
    wrong.set_weights = weights;  // {1, 0}: nothing to draw, the one case is of the second set
    EXPECT_THROW(PatchSampler(list, {4}, wrong), ConfigError);
  }
}

/// Case "a" has labels 1 and 2; here 2 is "ignore".
TEST_F(CaseLists, IgnoredVoxelsAreNoForegroundAndNoCentre) {
  PatchSampler::Options ignoring = options();
  ignoring.ignore_label = 2;
  ignoring.patch = ignoring.loader_patch = {1, 1, 1};
  const PatchSampler sampler(list, {0}, ignoring);
  int forced = 0, background = 0;
  for (int step = 0; step < 200; ++step) {
    for (int slot = 0; slot < 4; ++slot) {
      const PatchRequest request = sampler.at(step, slot);
      const std::int16_t label = list.patch(0, request.box).labels[0];
      EXPECT_NE(label, 2);
      EXPECT_TRUE(!request.forced_foreground || label == 1);
      forced += request.forced_foreground ? 1 : 0;
      background += label == 0 ? 1 : 0;
    }
  }
  EXPECT_EQ(forced, 400);
  EXPECT_GT(background, 200);
}

}  // namespace
}  // namespace hepar
