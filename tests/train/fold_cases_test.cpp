#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/train/fold_cases.h>

#include <algorithm>
#include <map>
#include <set>

#include "support/temporary.h"
#include "train/small_training.h"

namespace hepar {
namespace {

struct Entry {
  std::string id, patient, split = "train";
  bool labelled = true;
};

PreparedCase write_case(PreparedShardWriter& writer, const Entry& entry) {
  const SizeVox size{2, 3, 4};
  PreparedSample sample;
  sample.record.id = sample.record.case_id = entry.id;
  sample.record.patient = entry.patient;
  sample.record.split = entry.split;
  sample.record.size = sample.record.canonical.size = sample.record.crop.size = size;
  const std::vector<float> image(24, 1.0F);
  const std::vector<std::int16_t> labels(24, 1);
  sample.channels = {image};
  if (entry.labelled) {
    sample.record.label = "manual";
    sample.labels = labels;
  }
  return writer.write(sample);
}

/// Thirteen patients of the split "train" (every third with two scans) and three of "val", each
/// with a scan that has no mask beside.
std::vector<Entry> cohort() {
  std::vector<Entry> entries;
  for (int p = 0; p < 16; ++p) {
    const std::string patient = "patient-" + std::to_string(p);
    const std::string split = p < 13 ? "train" : "val";
    entries.push_back({patient + "/T1", patient, split});
    if (p % 3 == 0) {
      entries.push_back({patient + "/T2", patient, split});
    }
    entries.push_back({patient + "/DWI", patient, split, false});
  }
  return entries;
}

class Folds : public testing::Test {
 protected:
  Folds() {
    PreparedShardWriter writer({folder.path(), 0, 1});
    PreparedIndex index;
    index.labels = {{"background", 0}, {"ball", 1}};
    index.plan_yaml = to_yaml(test::small_plan());
    for (const Entry& entry : cohort()) {
      index.cases.push_back(write_case(writer, entry));
    }
    writer.close();
    write_prepared_index(folder.path(), index);
    set = std::make_unique<PreparedSet>(folder.path());
  }
  FoldCases fold(const std::string& name, std::int64_t folds = 5,
                 const std::vector<std::string>& splits = {"train"}) const {
    DataConfig config;
    config.fold = name;
    config.folds = folds;
    config.splits = splits;
    return fold_cases(*set, config);
  }
  std::set<std::string> patients(const std::vector<std::size_t>& cases) const {
    std::set<std::string> found;
    for (const std::size_t i : cases) {
      found.insert(set->cases()[i].patient);
    }
    return found;
  }
  /// Labelled cases of these splits.
  std::vector<std::size_t> usable(const std::set<std::string>& splits) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < set->cases().size(); ++i) {
      if (set->cases()[i].has_labels && splits.contains(set->cases()[i].split)) {
        found.push_back(i);
      }
    }
    return found;
  }
  void expect_refused(const std::string& name, std::int64_t folds,
                      const std::vector<std::string>& splits, const std::string& about) const {
    try {
      fold(name, folds, splits);
      ADD_FAILURE() << "fold " << name << " was accepted";
    } catch (const ConfigError& e) {
      EXPECT_NE(std::string(e.what()).find(about), std::string::npos) << e.what();
    }
  }

  test::TemporaryFolder folder;
  std::unique_ptr<PreparedSet> set;
};

TEST_F(Folds, HoldOutWholePatientsAndEveryCaseOnce) {
  const std::vector<std::size_t> wanted = usable({"train"});
  ASSERT_EQ(wanted.size(), 18U);
  std::vector<std::size_t> held_out;
  for (int f = 0; f < 5; ++f) {
    SCOPED_TRACE(f);
    const FoldCases cases = fold(std::to_string(f));

    std::vector<std::size_t> both = cases.training;
    both.insert(both.end(), cases.validation.begin(), cases.validation.end());
    std::sort(both.begin(), both.end());
    EXPECT_EQ(both, wanted);
    const std::set<std::string> trained = patients(cases.training);
    const std::set<std::string> validated = patients(cases.validation);
    EXPECT_TRUE(std::none_of(validated.begin(), validated.end(),
                             [&](const std::string& p) { return trained.contains(p); }));
    EXPECT_GE(validated.size(), 2U);  // 13 patients in 5 parts
    EXPECT_LE(validated.size(), 3U);
    held_out.insert(held_out.end(), cases.validation.begin(), cases.validation.end());
  }
  std::sort(held_out.begin(), held_out.end());
  EXPECT_EQ(held_out, wanted);
}

TEST_F(Folds, AreShuffled) {
  std::set<std::string> in_order;
  for (const int p : {0, 5, 10}) {
    in_order.insert("patient-" + std::to_string(p));
  }
  EXPECT_NE(patients(fold("0").validation), in_order);
  EXPECT_EQ(fold("0").validation, fold("0").validation);
}

TEST_F(Folds, AllHoldsNothingOut) {
  const FoldCases cases = fold("all");

  EXPECT_EQ(cases.training, usable({"train"}));
  EXPECT_EQ(cases.validation, cases.training);  // what is validated has been trained on
}

TEST_F(Folds, TakeTheSplitsAskedFor) {
  EXPECT_EQ(fold("all", 5, {"val"}).training, usable({"val"}));
  EXPECT_EQ(fold("all", 5, {"val", "train"}).training, usable({"train", "val"}));
}

TEST_F(Folds, RefuseWhatIsNoFold) {
  for (const char* name : {"5", "-1", "1.5", "one", "", "99999999999"}) {
    expect_refused(name, 5, {"train"},
                   "data.fold: wanted all or 0 … 4, found '" + std::string(name) + "'");
  }
}

TEST_F(Folds, RefuseAnEmptyPart) {
  expect_refused("3", 4, {"val"}, "3 labelled patients leave a part empty");
  expect_refused("0", 5, {"test"}, "no labelled case in split test");
}

/// Two domains of unlike stages; one stage has fewer patients than there are folds in a domain.
class StageFolds : public testing::Test {
 protected:
  StageFolds() {
    const std::vector<std::pair<std::string, std::vector<int>>> counts{{"A", {10, 5, 3, 7}},
                                                                       {"B", {2, 6, 4, 9}}};
    PreparedShardWriter writer({folder.path(), 0, 1});
    PreparedIndex index;
    index.labels = {{"background", 0}, {"ball", 1}};
    index.plan_yaml = to_yaml(test::small_plan());
    for (const auto& [domain, stages] : counts) {
      for (int stage = 1; stage <= 4; ++stage) {
        for (int p = 0; p < stages[static_cast<std::size_t>(stage - 1)]; ++p) {
          Entry entry{domain + std::to_string(stage) + "-" + std::to_string(p) + "/T1",
                      domain + std::to_string(stage) + "-" + std::to_string(p)};
          entry.labelled = false;
          index.cases.push_back(write_case(writer, entry));
          index.cases.back().domain = domain;
          index.cases.back().stage = stage;
        }
      }
    }
    writer.close();
    write_prepared_index(folder.path(), index);
    set = std::make_unique<PreparedSet>(folder.path());
  }
  [[nodiscard]] FoldCases fold(std::int64_t number, std::int64_t folds) const {
    DataConfig config;
    config.fold = std::to_string(number);
    config.folds = folds;
    return fold_cases(*set, config, FoldRule::kByStage);
  }

  test::TemporaryFolder folder;
  std::unique_ptr<PreparedSet> set;
};

TEST_F(StageFolds, EveryFoldHasAsManyOfEachStage) {
  std::set<std::size_t> held;
  for (int number = 0; number < 5; ++number) {
    std::map<int, int> of_stage;
    std::map<std::pair<std::string, int>, int> of_cell;
    const FoldCases cases = fold(number, 5);
    for (const std::size_t i : cases.validation) {
      const PreparedCase& record = set->cases()[i];
      ++of_stage[*record.stage];
      ++of_cell[{record.domain, *record.stage}];
      EXPECT_TRUE(held.insert(i).second);
    }
    // 12, 11, 7 and 16 patients in five folds.
    const std::vector<std::pair<int, int>> bounds{{2, 3}, {2, 3}, {1, 2}, {3, 4}};
    for (int stage = 1; stage <= 4; ++stage) {
      const auto [least, most] = bounds[static_cast<std::size_t>(stage - 1)];
      EXPECT_GE(of_stage[stage], least) << "fold " << number << ", S" << stage;
      EXPECT_LE(of_stage[stage], most) << "fold " << number << ", S" << stage;
    }
    EXPECT_EQ((of_cell[{"A", 1}]), 2);  // ten in five
    EXPECT_EQ((of_cell[{"A", 2}]), 1);
    EXPECT_EQ(cases.training.size() + cases.validation.size(), set->cases().size());
  }
  EXPECT_EQ(held.size(), set->cases().size());
}

TEST_F(StageFolds, InnerPartsDivideTheTrainingPartByPatient) {
  const CaseList cases(*set);
  const FoldCases outer = fold(0, 5);
  const FoldCases inner = inner_parts(cases, outer.training, 0.25);

  std::vector<std::size_t> both = inner.training;
  both.insert(both.end(), inner.validation.begin(), inner.validation.end());
  std::sort(both.begin(), both.end());
  EXPECT_EQ(both, outer.training);
  std::set<std::string> trained;
  for (const std::size_t i : inner.training) {
    trained.insert(cases.record(i).patient);
  }
  std::set<int> stages;
  for (const std::size_t i : inner.validation) {
    EXPECT_FALSE(trained.contains(cases.record(i).patient));
    stages.insert(*cases.record(i).stage);
  }
  EXPECT_EQ(stages.size(), 4U);
  const double share =
      static_cast<double>(inner.validation.size()) / static_cast<double>(both.size());
  EXPECT_NEAR(share, 0.25, 0.06);
  EXPECT_THROW(static_cast<void>(inner_parts(cases, {outer.training.front()}, 0.25)), ConfigError);
}

TEST_F(StageFolds, AStageThatAFoldLacksIsRefused) {
  EXPECT_NO_THROW(static_cast<void>(fold(0, 7)));  // seven patients of S3: one each
  std::string message;
  for (int number = 0; number < 8; ++number) {
    try {
      static_cast<void>(fold(number, 8));
    } catch (const ConfigError& e) {
      message += e.what();
    }
  }
  EXPECT_NE(message.find("stage S3 is absent from its validation part"), std::string::npos)
      << message;
}

}  // namespace
}  // namespace hepar
