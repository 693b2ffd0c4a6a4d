#include "prepare/label_map.h"

#include <gtest/gtest.h>

#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/io/lineage.h"
#include "hepar/io/manifest.h"
#include "hepar/io/prepared_set.h"
#include "hepar/io/pseudo_labels.h"
#include "hepar/prep/sets.h"
#include "prep/cohorts.h"
#include "prep/plans.h"
#include "support/temporary.h"

namespace hepar {
namespace {

using test::contains;
using test::refusal;
using Values = std::vector<std::int16_t>;

Values mapped(const LabelMap& map, const Values& values) {
  LabelImage image;
  image.voxels = values;
  map.apply(image, "here");
  return image.voxels;
}

TEST(LabelMap, GoesByName) {
  const LabelMap map({{"background", 0}, {"spleen", 1}, {"liver", 6}, {"ignore", 7}},
                     {"background", "liver"}, "set");

  EXPECT_EQ(mapped(map, {0, 1, 6, 7}), (Values{0, 0, 1, 2}));
  EXPECT_EQ(map.to_json().dump(), R"({"ignore":[7,2],"liver":[6,1]})");
  EXPECT_THROW(mapped(map, {5}), DataError);
  EXPECT_THROW(mapped(map, {-1}), DataError);
  EXPECT_EQ(prepared_labels({"background", "liver"}, true),
            (std::map<std::string, int>{{"background", 0}, {"liver", 1}, {"ignore", 2}}));
}

TEST(LabelMap, PutsClassesInThePlansOrder) {
  const LabelMap map({{"lesion", 1}, {"liver", 2}}, {"background", "liver", "lesion"}, "set");

  EXPECT_EQ(mapped(map, {2, 1, 0}), (Values{1, 2, 0}));
}

TEST(LabelMap, RefusesASourceWithoutAClass) {
  const std::string text = refusal(ExitCode::kBadData, [] {
    LabelMap({{"spleen", 1}}, {"background", "liver"}, "set");
  });

  EXPECT_TRUE(contains(text, "set: the plan's class 'liver' is not among its labels: spleen=1"))
      << text;
}

TEST(LabelMap, TakesTheNumbersOfAPlanWithoutNames) {
  const LabelMap map({{"liver", 1}, {"lesion", 2}}, {"background", "label1"}, "set");

  EXPECT_EQ(mapped(map, {1, 2}), (Values{1, 0}));
}

class PseudoPrepare : public ::testing::Test {
 protected:
  /// Three cases with a liver of 6 beside kidneys of 2, the last one without a mask.
  PseudoPrepare() {
    for (int i = 0; i < 3; ++i) {
      const std::string id = "case_0" + std::to_string(i);
      test::write_image(in_ / (id + ".nii.gz"), test::small_image(i));
      table_ += id + "," + id + ".nii.gz," + (i < 2 ? id + "_mask.nii.gz" : "") + ",T2\n";
      if (i < 2) {
        test::write_image(in_ / (id + "_mask.nii.gz"), test::small_mask(i, i == 0 ? 2 : 1));
      }
    }
    test::write_file(in_ / "t.csv", table_);
    ConvertConfig conversion = test::nnunet_config(in_ / "t.csv", cohort_);
    conversion.source = "table";
    conversion.classes = {"background", "kidney", "liver"};
    test::convert_alone(conversion);
    manifest_ = read_manifest(cohort_);
    Plan plan = test::small_plan({"T2"});
    plan.spacing_mm = {1.5, 3.0, 1.25};  // the canonical spacing: nothing is resampled
    test::write_file(folder_.path() / "plan.yaml", to_yaml(plan));
  }

  /// A pseudo-label set with one mask, for the case without one.
  void write_pseudo(const std::string& dropped = "") {
    const CaseRecord& item = manifest_.cases[2];
    LabelImage mask{item.sequences[0].grid, {}};
    mask.voxels.assign(static_cast<std::size_t>(count(mask.grid.size)), 0);
    mask.voxels[100] = 1;
    mask.voxels[101] = 2;  // ignored
    fs::create_directories(pseudo_ / "masks");
    write_nifti(pseudo_ / "masks/case_02.nii.gz", from_labels(mask));
    PseudoLabelSet set;
    set.cohort_hash = manifest_hash(manifest_);
    set.plan_hash = "0123456789abcdef";
    set.labels = {{"background", 0}, {"liver", 1}, {"ignore", 2}};
    set.cases = {{"case_02", "T2", "masks/case_02.nii.gz",
                  to_hex(xxh64_of_file((pseudo_ / "masks/case_02.nii.gz").string())), 0.9, 1, 1,
                  dropped}};
    write_pseudo_labels(pseudo_, set);
    Lineage lineage;
    lineage.add({"c", "teacher-case", {}}, CaseUse::kMask);
    write_lineage(pseudo_, lineage);
  }

  PrepareConfig config() const {
    PrepareConfig how;
    how.data = cohort_.string();
    how.plan = (folder_.path() / "plan.yaml").string();
    how.out = (folder_.path() / "prepared").string();
    how.pseudo = pseudo_.string();
    how.threads = 1;
    return how;
  }

  test::TemporaryFolder folder_;
  fs::path in_ = folder_.path() / "in", cohort_ = folder_.path() / "cohort",
           pseudo_ = folder_.path() / "pseudo";
  std::string table_ = "id,image,mask,sequence\n";
  Manifest manifest_;
};

TEST_F(PseudoPrepare, MapsCohortsByNameAndTakesPseudoLabelsWhereNoneIs) {
  write_pseudo();

  test::prepare_alone(config());

  const PreparedSet set(config().out);
  ASSERT_EQ(set.cases().size(), 3U);
  EXPECT_EQ(set.labels(),
            (std::map<std::string, int>{{"background", 0}, {"liver", 1}, {"ignore", 2}}));
  EXPECT_EQ(set.cases()[0].label, "manual");
  EXPECT_EQ(set.cases()[0].label_counts.at(1), 27);
  EXPECT_FALSE(set.cases()[1].label_counts.contains(1));  // only kidney: background here
  EXPECT_EQ(set.cases()[2].label, "pseudo");
  EXPECT_TRUE(set.cases()[2].has_labels);
  EXPECT_EQ(set.cases()[2].label_counts.at(1), 1);
  EXPECT_EQ(set.cases()[2].label_counts.at(2), 1);
  EXPECT_EQ(set.cases()[2].source_hashes,
            std::vector<std::string>{manifest_.cases[2].sequences[0].image.hash});
  const std::optional<Lineage> lineage = read_lineage(config().out);
  ASSERT_TRUE(lineage.has_value());
  EXPECT_TRUE(lineage->uses({"c", "teacher-case", {}}, CaseUse::kMask));
  const Json provenance = read_json(fs::path(config().out) / "prepared.json")["provenance"];
  EXPECT_EQ(provenance["source"], "table");
  EXPECT_EQ(provenance["label_map"]["manual"].dump(), R"({"liver":[2,1]})");
  EXPECT_EQ(provenance["normalization"][0]["rule"], "zscore");
  Communicator self = Communicator::self();
  VerifyConfig check;
  check.data = config().out;
  verify(check, self);
}

TEST_F(PseudoPrepare, SelectsAndDropsPseudoLabels) {
  write_pseudo();
  PrepareConfig how = config();
  how.select.label = {"pseudo"};
  test::prepare_alone(how);
  EXPECT_EQ(PreparedSet(how.out).cases().size(), 1U);

  write_pseudo("too low");
  how = config();
  how.out += "-2";
  test::prepare_alone(how);
  EXPECT_FALSE(PreparedSet(how.out).cases()[2].has_labels);
}

TEST_F(PseudoPrepare, RefusesLabelsOfAnotherCohortAndDamagedOnes) {
  write_pseudo();
  PseudoLabelSet set = read_pseudo_labels(pseudo_);
  set.cohort_hash = "0123456789abcdef";
  write_pseudo_labels(pseudo_, set);
  EXPECT_TRUE(contains(refusal(ExitCode::kBadData, [&] { test::prepare_alone(config()); }),
                       "wanted labels of the cohort"));

  write_pseudo();
  const fs::path mask = pseudo_ / "masks/case_02.nii.gz";
  test::flip_byte(mask, fs::file_size(mask) / 2);
  EXPECT_TRUE(contains(refusal(ExitCode::kBadData, [&] { test::prepare_alone(config()); }),
                       "case_02.nii.gz: wanted xxh64"));
}

}  // namespace
}  // namespace hepar
