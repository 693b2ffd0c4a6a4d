#include <hepar/plan/planner.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hepar/core/error.h>

#include "plan/vectors.h"

namespace hepar {
namespace {

using Triple = std::array<std::int64_t, 3>;
using Triples = std::vector<Triple>;
using ::testing::HasSubstr;

constexpr Triple kInPlane{1, 2, 2};
constexpr Triple kAll{2, 2, 2};

struct Golden {
  std::string name;
  SpacingMm spacing;
  SizeVox median;
  std::int64_t cases;
  std::int64_t classes;
  PlanPreset preset;
  SizeVox patch;
  std::int64_t batch;
  Triples strides;   // after 1,1,1
  int thin_kernels;  // stages with kernel 1,3,3
};

std::vector<std::string> class_names(std::int64_t n) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < n; ++i) {
    names.push_back("class" + std::to_string(i));
  }
  return names;
}

PlanRequest request_of(const Golden& row) {
  PlanRequest request;
  request.spacing = row.spacing;
  request.median_shape = row.median;
  request.cases = row.cases;
  request.classes = class_names(row.classes);
  request.preset = row.preset;
  return request;
}

// Rows 1-3 are plans that nnU-Net's users published (issues 2412, 2036, 1898; class and case counts
// are ours: row 1's patch is 80,160,160 with fewer than 8 classes), the others follow nnU-Net's
// rules.
const Golden kGolden[] = {
    {"Row1",
     {2.0, 0.780, 0.780},
     {228, 513, 513},
     100,
     16,
     PlanPreset::kPlain,
     {64, 160, 160},
     2,
     {kInPlane, kAll, kAll, kAll, kAll},
     1},
    {"Row2",
     {3.690, 1.879, 1.879},
     {103, 296, 296},
     100,
     3,
     PlanPreset::kPlain,
     {64, 192, 192},
     2,
     {kAll, kAll, kAll, kAll, kInPlane},
     0},
    {"Row3",
     {1, 1, 1},
     {36, 50, 35},
     260,
     3,
     PlanPreset::kPlain,
     {40, 56, 40},
     9,
     {kAll, kAll, kAll},
     0},
    {"Row4Plain",
     {1, 1, 1},
     {138, 169, 138},
     484,
     4,
     PlanPreset::kPlain,
     {128, 128, 128},
     2,
     {kAll, kAll, kAll, kAll, kAll},
     0},
    {"Row4L",
     {1, 1, 1},
     {138, 169, 138},
     484,
     4,
     PlanPreset::kResEncL,
     {160, 192, 160},
     3,
     {kAll, kAll, kAll, kAll, kAll},
     0},
    {"Row5",
     {3.6, 0.625, 0.625},
     {20, 320, 319},
     32,
     3,
     PlanPreset::kPlain,
     {20, 320, 256},
     2,
     {kInPlane, kInPlane, kAll, kAll, kInPlane, kInPlane},
     2},
    {"Row6Plain",
     {3.0, 1.1875, 1.1875},
     {72, 260, 320},
     30,
     2,
     PlanPreset::kPlain,
     {48, 192, 224},
     2,
     {kInPlane, kAll, kAll, kAll, kInPlane},
     1},
    {"Row6L",
     {3.0, 1.1875, 1.1875},
     {72, 260, 320},
     30,
     2,
     PlanPreset::kResEncL,
     {64, 256, 320},
     2,
     {kInPlane, kAll, kAll, kAll, kAll, kInPlane},
     1},
};

class GoldenPlan : public ::testing::TestWithParam<Golden> {};

TEST_P(GoldenPlan, HasThePublishedPatchBatchAndTopology) {
  const Golden& row = GetParam();

  const Plan plan = make_plan(request_of(row));

  Triples strides{{1, 1, 1}};
  strides.insert(strides.end(), row.strides.begin(), row.strides.end());
  EXPECT_EQ(plan.strides, strides);
  EXPECT_EQ(plan.patch_size, row.patch);
  EXPECT_EQ(plan.batch_size, row.batch);
  for (std::size_t stage = 0; stage < plan.kernels.size(); ++stage) {
    const bool thin = stage < static_cast<std::size_t>(row.thin_kernels);
    EXPECT_EQ(plan.kernels[stage], (thin ? Triple{1, 3, 3} : Triple{3, 3, 3})) << "stage " << stage;
  }
}

INSTANTIATE_TEST_SUITE_P(Planner, GoldenPlan, ::testing::ValuesIn(kGolden),
                         [](const auto& row) { return row.param.name; });

TEST(Planner, AgreesWithNnunetOnRandomCohorts) {
  for (const Json& row : test::plan_vectors().at("plans")) {
    const Json& given = row.at("request");
    const Json& expected = row.at("plan");
    SCOPED_TRACE(row.dump());
    PlanRequest request;
    request.spacings = test::threes<SpacingMm>(given.at("spacings"));
    request.sizes = test::threes<SizeVox>(given.at("sizes"));
    request.cases = given.at("cases");
    request.classes = class_names(given.at("classes"));
    request.preset = plan_preset_from(given.at("preset"));
    if (given.contains("target_spacing")) {
      request.overrides.target_spacing = test::three<SpacingMm>(given.at("target_spacing"));
    }

    const Plan plan = make_plan(request);

    EXPECT_EQ(plan.spacing_mm, test::three<SpacingMm>(expected.at("spacing")));
    EXPECT_EQ(plan.patch_size, test::three<SizeVox>(expected.at("patch")));
    EXPECT_EQ(plan.batch_size, expected.at("batch").get<std::int64_t>());
    EXPECT_EQ(plan.strides, test::threes<Triple>(expected.at("strides")));
    EXPECT_EQ(plan.kernels, test::threes<Triple>(expected.at("kernels")));
    EXPECT_EQ(plan.features, expected.at("features").get<std::vector<std::int64_t>>());
    EXPECT_EQ(plan.transpose, (test::three<std::array<int, 3>>(expected.at("transpose"))));
    EXPECT_EQ(plan.batch_dice, expected.at("batch_dice").get<bool>());
    for (int axis = 0; axis < 3; ++axis) {
      EXPECT_NEAR(static_cast<double>(plan.median_shape[axis]),
                  expected.at("median")[static_cast<std::size_t>(axis)].get<double>(), 0.5);
    }
  }
}

// Three cases, spacing 5/6/10 x 1 x 1 and few slices: the median 6 is over 3 times 1 mm, and 12
// slices times 3 are under 200, so the 10th percentile counts: 5 + 0.2·(6 − 5) = 5.2.
TEST(Planner, TakesTheTenthPercentileOfAVeryCoarseAxis) {
  PlanRequest request;
  request.spacings = {{5, 1, 1}, {6, 1, 1}, {10, 1, 1}};
  request.sizes = {{14, 200, 210}, {12, 200, 210}, {8, 200, 210}};
  request.cases = 3;

  const Plan plan = make_plan(request);

  EXPECT_DOUBLE_EQ(plan.spacing_mm.z, 5.2);
  EXPECT_EQ(plan.median_shape, (SizeVox{14, 200, 210}));  // 13.46, 13.85, 15.38 rounded: 13, 14, 15
  EXPECT_THAT(plan.reasons.at("spacing_mm"), HasSubstr("10th percentile"));
}

TEST(Planner, NeverMakesTheCoarseAxisFinerThanTheOthers) {
  PlanRequest request;
  request.spacings = {{0.5, 1, 1}, {6, 1, 1}, {6, 1, 1}, {6, 1, 1}, {0.5, 1, 1}, {6, 1, 1}};
  request.sizes.assign(6, {12, 200, 200});
  request.cases = 6;

  const Plan plan = make_plan(request);

  EXPECT_DOUBLE_EQ(plan.spacing_mm[0], 1 + 1e-5);
}

TEST(Planner, KeepsTheMedianWhenTheCoarseAxisIsNotShort) {
  PlanRequest request;
  request.spacings = {{5, 1, 1}, {6, 1, 1}, {10, 1, 1}};
  request.sizes.assign(3, {80, 200, 210});
  request.cases = 3;

  EXPECT_DOUBLE_EQ(make_plan(request).spacing_mm.z, 6);
}

TEST(Planner, PutsTheCoarsestAxisFirst) {
  PlanRequest request;
  request.spacing = {1.5, 4, 1};
  request.median_shape = {100, 30, 120};
  request.cases = 20;

  const Plan plan = make_plan(request);

  EXPECT_EQ(plan.transpose, (std::array<int, 3>{1, 0, 2}));
  EXPECT_EQ(plan.spacing_mm, (SpacingMm{4, 1.5, 1}));
  EXPECT_EQ(plan.median_shape, (SizeVox{30, 100, 120}));
  EXPECT_THAT(plan.reasons.at("transpose"), HasSubstr("y has the largest spacing"));
}

TEST(Planner, GivesAReasonForEveryValue) {
  const Plan plan = make_plan(request_of(kGolden[0]));

  const auto rows = describe_plan(plan);

  ASSERT_EQ(rows.size(), 17U);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_FALSE(rows[i].at(2).empty()) << rows[i].at(0);
  }
  EXPECT_EQ(plan.reasons.size(), rows.size() - 1);
}

TEST(Planner, ChoosesTheLargestPowerOfTwoUpToTheBatchAsShards) {
  EXPECT_EQ(make_plan(request_of(kGolden[2])).shards, 8);  // batch 9
  EXPECT_EQ(make_plan(request_of(kGolden[4])).shards, 2);  // batch 3
}

TEST(Planner, DoesWhatTheUserSets) {
  PlanRequest request = request_of(kGolden[2]);
  request.overrides = {.target_spacing = SpacingMm{1, 1, 2},
                       .patch_size = SizeVox{16, 32, 32},
                       .batch_size = 4,
                       .base_features = 16,
                       .max_features = 128};

  const Plan plan = make_plan(request);

  EXPECT_EQ(plan.spacing_mm, (SpacingMm{2, 1, 1}));
  EXPECT_EQ(plan.median_shape, (SizeVox{18, 36, 50}));  // 35 / 2 = 17.5 rounds to even
  EXPECT_EQ(plan.patch_size, (SizeVox{16, 32, 32}));
  EXPECT_EQ(plan.batch_size, 4);
  EXPECT_EQ(plan.features.front(), 16);
  EXPECT_LE(plan.features.back(), 128);
  for (const char* key : {"spacing_mm", "patch_size", "batch_size", "features"}) {
    EXPECT_THAT(plan.reasons.at(key), HasSubstr("set by the user"));
  }
}

TEST(Planner, RefusesAPatchThatItsStridesDoNotDivideAndNamesTheNextOne) {
  PlanRequest request = request_of(kGolden[2]);
  request.overrides.patch_size = SizeVox{33, 40, 40};

  try {
    make_plan(request);
    FAIL() << "33 is not divisible by 8";
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), HasSubstr("33,40,40"));
    EXPECT_THAT(e.what(), HasSubstr("40,40,40"));
  }
}

TEST(Planner, RefusesWhatMakesNoSense) {
  const auto refused = [](auto&& change) {
    PlanRequest request = request_of(kGolden[0]);
    change(request);
    EXPECT_THROW(make_plan(request), ConfigError);
  };
  refused([](PlanRequest& r) { r.spacing.y = 0; });
  refused([](PlanRequest& r) { r.spacing.y = std::numeric_limits<double>::quiet_NaN(); });
  refused([](PlanRequest& r) { r.median_shape.x = 0; });
  refused([](PlanRequest& r) { r.median_shape = {4, 4, 4}; });
  refused([](PlanRequest& r) { r.cases = 0; });
  refused([](PlanRequest& r) { r.classes = {"background"}; });
  refused([](PlanRequest& r) { r.channels.clear(); });
  refused([](PlanRequest& r) { r.spacings = {{1, 1, 1}}; });
  refused([](PlanRequest& r) { r.normalization.resize(2); });
  refused([](PlanRequest& r) { r.overrides.batch_size = 0; });
  refused([](PlanRequest& r) { r.overrides.patch_size = SizeVox{0, 8, 8}; });
  refused([](PlanRequest& r) { r.overrides.target_spacing = SpacingMm{-1, 1, 1}; });
  refused([](PlanRequest& r) { r.overrides.base_features = r.overrides.max_features = 1'000'000; });
}

TEST(PlanPreset, NamesTheNearestKnownOne) {
  EXPECT_EQ(plan_preset_from("resenc_xl"), PlanPreset::kResEncXL);
  EXPECT_EQ(to_string(PlanPreset::kResEncM), "resenc_m");
  try {
    plan_preset_from("resenc_k");
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), HasSubstr("did you mean 'resenc_"));
  }
}

}  // namespace
}  // namespace hepar
