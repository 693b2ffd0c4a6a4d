#include <hepar/plan/plan.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/plan/planner.h>

#include "support/temporary.h"

namespace hepar {
namespace {

using ::testing::HasSubstr;

Plan example() {
  PlanRequest request;
  request.spacing = {3.0, 1.1875, 0.1 + 0.2};  // 0.30000000000000004: all 17 digits count
  request.median_shape = {72, 260, 320};
  request.cases = 30;
  request.channels = {"GED4", "CT: \"quoted\""};
  request.classes = {"background", "liver", "yes"};
  request.normalization = {{}, {NormalizationKind::kCt, 99.5, 1.0 / 3, -17, 201.25}};
  return make_plan(request);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " is not in\n" << text;
  return text.replace(at, from.size(), to);
}

void expect_refused(const std::string& yaml, const std::vector<std::string>& said) {
  try {
    parse_plan(yaml, "plan.yaml");
    ADD_FAILURE() << "accepted:\n" << yaml;
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), HasSubstr("plan.yaml"));
    for (const std::string& text : said) {
      EXPECT_THAT(e.what(), HasSubstr(text));
    }
  }
}

TEST(PlanFile, ReadsBackExactlyWhatWasWritten) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "plan.yaml";
  const Plan plan = example();

  write_atomically(path, to_yaml(plan));

  EXPECT_EQ(read_plan(path), plan);
}

TEST(PlanFile, NeedsNoReasonsAndHashesWithoutThem) {
  const Plan plan = example();
  Plan bare = plan;
  bare.reasons.clear();

  EXPECT_EQ(parse_plan(to_yaml(bare), "plan.yaml"), bare);
  EXPECT_EQ(plan_hash(plan), plan_hash(bare));
  bare.batch_size += 1;
  EXPECT_NE(plan_hash(plan), plan_hash(bare));
}

TEST(PlanFile, NamesFileAndKeyOfWhatIsWrong) {
  const std::string good = to_yaml(example());
  expect_refused(replaced(good, "patch_size", "patch_sise"),
                 {"patch_sise", "did you mean 'patch_size'"});
  expect_refused(replaced(good, "batch_size: 2", ""), {"batch_size", "missing"});
  expect_refused(replaced(good, "batch_size: 2", "batch_size: two"),
                 {"batch_size", "a whole number", "'two'"});
  expect_refused(replaced(good, "batch_size: 2", "batch_size: 0"), {"batch_size", "at least 1"});
  expect_refused(replaced(good, "batch_size: 2", "batch_size: 2\nbatch_size: 4"),
                 {"batch_size", "twice"});
  expect_refused(replaced(good, "transpose: [0, 1, 2]", "transpose: [0, 1, 1]"), {"transpose"});
  expect_refused(replaced(good, "median_shape: [72", "median_shape: [1, 72"),
                 {"median_shape", "three"});
  expect_refused(replaced(good, "architecture: plain", "architecture: swin"),
                 {"architecture", "swin"});
  expect_refused(replaced(good, "kind: zscore", "kind: zskore"), {"zskore"});
  expect_refused(replaced(good, "shards: 2", "shards: 3"), {"shards", "power of two"});
  expect_refused(replaced(good, "features: [32", "features: [0"), {"features", "positive"});
  expect_refused(replaced(good, "features: [32, ", "features: ["), {"features", "entries"});
  expect_refused(replaced(good, "strides: [[1, 1, 1]", "strides: [[1, 1, 2]"),
                 {"strides", "1,1,1 first"});
  expect_refused("- 1\n- 2\n", {"mapping"});
  expect_refused("", {"mapping"});
  expect_refused("a: [1, 2", {"not YAML"});
}

TEST(PlanFile, SaysOnWhichLine) {
  const std::string good = to_yaml(example());
  expect_refused(replaced(good, "batch_size: 2", "batch_size: x"), {"plan.yaml:4:"});
}

TEST(PlanFile, RefusesAPatchThatTheStridesDoNotDivide) {
  Plan plan = example();
  plan.patch_size.y += 1;
  expect_refused(to_yaml(plan), {"patch_size", "not divisible"});
}

TEST(PlanFile, NamesAFileThatIsNotThere) {
  EXPECT_THROW(read_plan("/nowhere/plan.yaml"), DataError);
}

// Damaged files must be refused with DataError or read; nothing else may happen.
TEST(PlanFile, SurvivesDamagedText) {
  const std::string good = to_yaml(example());
  int refused = 0;
  for (std::size_t at = 0; at < good.size(); at += 3) {
    for (const char c : {'\0', '[', ':', '9', '\xff', '-', '\n'}) {
      std::string bad = good;
      bad[at] = c;
      try {
        parse_plan(bad, "plan.yaml");
      } catch (const DataError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace hepar
