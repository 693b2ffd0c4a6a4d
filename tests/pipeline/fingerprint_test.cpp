#include <hepar/pipeline/fingerprint.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/pipeline/plan_command.h>
#include <hepar/plan/planner.h>

#include "pipeline/small_cohort.h"
#include "support/temporary.h"

namespace hepar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Grid grid_of(SizeVox size, SpacingMm spacing) {
  Grid grid;
  grid.size = size;
  grid.spacing = spacing;
  return grid;
}

int inside_or(OffsetVox at, int margin, SizeVox size, int inside, int outside) {
  const bool in = at.z >= margin && at.y >= margin && at.x >= margin && at.z < size.z - margin &&
                  at.y < size.y - margin && at.x < size.x - margin;
  return in ? inside : outside;
}

test::SmallSequence uniform(const std::string& name, const Grid& grid, int stored, bool masked) {
  test::SmallSequence sequence;
  sequence.name = name;
  sequence.grid = grid;
  sequence.value = [stored](OffsetVox) { return stored; };
  if (masked) {
    sequence.label = [size = grid.size](OffsetVox at) { return inside_or(at, 2, size, 1, 0); };
  }
  return sequence;
}

class FingerprintTest : public ::testing::Test {
 protected:
  FingerprintTest() {
    const Grid a = grid_of({12, 20, 24}, {3, 1, 1});
    const Grid b = grid_of({14, 22, 26}, {2, 1, 1.5});
    test::write_small_cohort(
        folder_.path(),
        {{"case1", "train", "A", {uniform("GED4", a, 10, true), uniform("T2", b, 7, false)}},
         {"case2", "train", "B1", {uniform("GED4", b, 20, true), uniform("T2", b, 9, false)}},
         {"case3", "train", "B1", {uniform("GED4", a, 50, false)}},
         {"case4", "val", "C", {uniform("GED4", a, 90, true)}}});
  }

  [[nodiscard]] FingerprintRequest ged4() const {
    FingerprintRequest request;
    request.cohort = folder_.path();
    request.selection = {{"GED4"}, {"train"}, {}, {}};
    request.draws = 1000;
    return request;
  }

  test::TemporaryFolder folder_;
};

TEST_F(FingerprintTest, TakesSpacingAndShapeFromAllAndIntensitiesFromTheMasked) {
  const Fingerprint fingerprint = take_fingerprint(ged4());

  EXPECT_THAT(fingerprint.ids, ElementsAre("case1/GED4", "case2/GED4", "case3/GED4"));
  EXPECT_EQ(fingerprint.spacings[1], (SpacingMm{2, 1, 1.5}));
  EXPECT_EQ(fingerprint.sizes[2], (SizeVox{12, 20, 24}));
  EXPECT_EQ(fingerprint.masked, 2);
  ASSERT_EQ(fingerprint.channels.size(), 1U);
  // Two masked cases, real values 2·10 − 1 = 19 and 2·20 − 1 = 39, equally many draws each.
  const ChannelStatistics& s = fingerprint.channels[0];
  EXPECT_EQ(s.drawn, 2000);
  EXPECT_DOUBLE_EQ(s.mean, 29);
  EXPECT_DOUBLE_EQ(s.std, 10);
  EXPECT_DOUBLE_EQ(s.median, 29);
  EXPECT_DOUBLE_EQ(s.min, 19);
  EXPECT_DOUBLE_EQ(s.max, 39);
  EXPECT_DOUBLE_EQ(s.percentile_00_5, 19);
  EXPECT_DOUBLE_EQ(s.percentile_99_5, 39);
}

TEST_F(FingerprintTest, DrawsOnlyFromTheForegroundOfTheCrop) {
  const Grid grid = grid_of({16, 16, 16}, {1, 1, 1});
  test::SmallSequence sequence = uniform("GED4", grid, 5, true);
  sequence.value = [](OffsetVox at) { return at.x < 8 ? 5 : 25; };  // real 9 and 49
  sequence.label = [](OffsetVox at) { return at.x < 4 ? 1 : 0; };
  const test::TemporaryFolder folder;
  test::write_small_cohort(folder.path(), {{"one", "train", "A", {sequence}}});
  FingerprintRequest request = ged4();
  request.cohort = folder.path();

  const Fingerprint fingerprint = take_fingerprint(request);

  EXPECT_DOUBLE_EQ(fingerprint.channels[0].max, 9);
}

TEST_F(FingerprintTest, DoesNotDependOnThreads) {
  FingerprintRequest request = ged4();
  request.selection.sequence.clear();
  const std::string one = to_json(take_fingerprint(request)).dump();

  request.threads = 4;

  EXPECT_EQ(to_json(take_fingerprint(request)).dump(), one);
}

TEST_F(FingerprintTest, SelectsByEveryField) {
  const Manifest manifest = read_manifest(folder_.path());
  const auto ids = [&](const CaseSelection& selection,
                       const std::vector<std::string>& channels = {}) {
    std::vector<std::string> names;
    for (const SelectedSample& sample : select_samples(manifest, selection, channels)) {
      names.push_back(sample.id());
    }
    return names;
  };

  EXPECT_THAT(ids({{}, {"val"}, {}, {}}), ElementsAre("case4/GED4"));
  EXPECT_THAT(ids({{"T2"}, {}, {}, {"B1"}}), ElementsAre("case2/T2"));
  EXPECT_THAT(ids({{"GED4"}, {"train"}, {"none"}, {}}), ElementsAre("case3/GED4"));
  EXPECT_THAT(ids({{}, {"train"}, {}, {}}, {"GED4", "T2"}), ElementsAre("case1", "case2"));
}

TEST_F(FingerprintTest, NamesWhatTheCohortDoesNotHave) {
  FingerprintRequest request = ged4();
  request.selection.sequence = {"GED5"};
  try {
    take_fingerprint(request);
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), HasSubstr("GED5"));
    EXPECT_THAT(e.what(), HasSubstr("did you mean 'GED4'"));
  }
  request.selection = {{"T2"}, {"val"}, {}, {}};
  EXPECT_THROW(take_fingerprint(request), ConfigError);
}

TEST_F(FingerprintTest, ListsEveryBadCase) {
  FingerprintRequest request = ged4();
  request.selection.sequence.clear();
  request.channels = {"GED4", "T2"};  // case1 has them on two grids, case2 on one
  try {
    take_fingerprint(request);
    FAIL();
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr("case1: wanted channels on one grid"));
  }

  Manifest manifest = read_manifest(folder_.path());
  manifest.cases[0].sequences[0].image.hash = "0000000000000000";
  manifest.cases[2].sequences[0].image.hash = "0000000000000001";
  write_manifest(folder_.path(), manifest);
  try {
    take_fingerprint(ged4());
    FAIL();
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr("case1"));
    EXPECT_THAT(e.what(), HasSubstr("case3"));
  }
}

class PlanCommand : public FingerprintTest {
 protected:
  [[nodiscard]] PlanCommandConfig config() const {
    PlanCommandConfig config;
    config.data = folder_.path().string();
    config.out = (folder_.path() / "plan.yaml").string();
    config.fingerprint = (folder_.path() / "fingerprint.json").string();
    config.select.sequence = {"GED4"};
    config.threads = 2;
    return config;
  }
};

TEST_F(PlanCommand, WritesThePlanOfTheSelectedCases) {
  run_plan_command(config(), false);

  const Plan plan = read_plan(config().out);
  EXPECT_EQ(plan.spacing_mm, (SpacingMm{3, 1, 1}));  // medians of 3,2,3 and 1 and 1,1.5,1
  EXPECT_EQ(plan.median_shape, (SizeVox{12, 20, 24}));
  EXPECT_THAT(plan.channels, ElementsAre("GED4"));
  EXPECT_THAT(plan.classes, ElementsAre("background", "liver"));
  EXPECT_EQ(plan.normalization[0].kind, NormalizationKind::kZScore);
  EXPECT_EQ(read_json(config().fingerprint).at("masked_samples"), 2);
}

TEST_F(PlanCommand, WritesNothingOnADryRun) {
  run_plan_command(config(), true);

  EXPECT_FALSE(fs::exists(config().out));
  EXPECT_FALSE(fs::exists(config().fingerprint));
}

TEST_F(PlanCommand, PlansFromNumbersAlone) {
  PlanCommandConfig numbers;
  numbers.spacing = {3.0, 1.1875, 1.1875};
  numbers.shape = {72, 260, 320};
  numbers.cases = 30;
  numbers.classes = 2;

  const Plan plan = plan_for(numbers);

  EXPECT_EQ(plan.patch_size, (SizeVox{48, 192, 224}));
  EXPECT_EQ(plan.batch_size, 2);
}

TEST_F(PlanCommand, TakesTheFlagsOfTheCommandLine) {
  PlanCommandConfig config;
  ConfigSchema schema;
  config.declare(schema);
  for (const char* flag :
       {"spacing=1,1,1", "shape=36,50,35", "cases=260", "classes=3", "patch=16,32,32", "batch=4",
        "base_features=16", "max_features=128", "target_spacing=1,1,1"}) {
    schema.set(flag);
  }

  const Plan plan = plan_for(config);

  EXPECT_EQ(plan.patch_size, (SizeVox{16, 32, 32}));
  EXPECT_EQ(plan.batch_size, 4);
  EXPECT_THAT(plan.features, ElementsAre(16, 32, 64, 128));
}

TEST_F(PlanCommand, ScoresOverTheNonZeroRegionWhenTheCropIsSmall) {
  const Grid grid = grid_of({20, 20, 20}, {1, 1, 1});
  test::SmallSequence sequence = uniform("MR", grid, 5, true);
  sequence.value = [](OffsetVox at) { return at.x >= 4 && at.x < 16 ? 5 : 0; };
  const test::TemporaryFolder folder;
  Manifest manifest = test::write_small_cohort(folder.path(), {{"one", "train", "A", {sequence}}});
  manifest.cases[0].sequences[0].image.slope = 1;
  manifest.cases[0].sequences[0].image.intercept = 0;
  write_manifest(folder.path(), manifest);
  PlanCommandConfig config;
  config.data = folder.path().string();

  const Plan plan = plan_for(config);

  EXPECT_EQ(plan.median_shape, (SizeVox{20, 20, 12}));
  EXPECT_EQ(plan.normalization[0].kind, NormalizationKind::kZScoreMasked);
  EXPECT_THAT(plan.reasons.at("normalization"), HasSubstr("60 %"));
}

TEST_F(PlanCommand, UsesTheForegroundStatisticsForCt) {
  const test::TemporaryFolder folder;
  const Grid grid = grid_of({20, 20, 20}, {1, 1, 1});
  test::write_small_cohort(folder.path(), {{"one", "train", "A", {uniform("CT", grid, 5, true)}}});
  PlanCommandConfig config;
  config.data = folder.path().string();

  const Plan plan = plan_for(config);

  EXPECT_EQ(plan.normalization[0], (Normalization{NormalizationKind::kCt, 9, 0, 9, 9}));
}

TEST_F(PlanCommand, RefusesHalfARequestBeforeAnyWork) {
  const auto refused = [&](auto&& change) {
    PlanCommandConfig changed = config();
    change(changed);
    EXPECT_THROW(run_plan_command(changed, false), ConfigError);
  };
  refused([](PlanCommandConfig& c) { c.spacing = {1, 1, 1}; });
  refused([](PlanCommandConfig& c) { c.data.clear(); });
  refused([](PlanCommandConfig& c) { c.out.clear(); });
  refused([](PlanCommandConfig& c) { c.patch = {1, 2}; });
  refused([](PlanCommandConfig& c) { c.preset = "resenc"; });
  EXPECT_FALSE(fs::exists(config().out));
}

}  // namespace
}  // namespace hepar
