#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/train/segmentation_trainer.h>

#include <algorithm>
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

}  // namespace
}  // namespace hepar
