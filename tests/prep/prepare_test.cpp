#include "hepar/prep/prepare.h"

#include <gtest/gtest.h>

#include "hepar/image/orientation.h"
#include "hepar/image/preprocess.h"
#include "hepar/io/prepared_set.h"
#include "hepar/plan/plan.h"
#include "prep/cohorts.h"
#include "prep/plans.h"
#include "support/temporary.h"

namespace hepar {
namespace {

using test::contains;
using test::prepare_alone;
using test::refusal;
using test::small_image;
using test::small_mask;
using test::write_file;
using test::write_image;

class Prepare : public ::testing::Test {
 protected:
  void convert_nnunet(int cases) {
    test::write_nnunet_cohort(in_, cases);
    test::convert_alone(test::nnunet_config(in_, cohort_));
  }

  PrepareConfig config(const Plan& plan) {
    write_file(folder_.path() / "plan.yaml", to_yaml(plan));
    PrepareConfig prepare;
    prepare.data = cohort_.string();
    prepare.plan = (folder_.path() / "plan.yaml").string();
    prepare.out = (folder_.path() / "prepared").string();
    prepare.threads = 1;
    return prepare;
  }

  test::TemporaryFolder folder_;
  fs::path in_ = folder_.path() / "in";
  fs::path cohort_ = folder_.path() / "cohort";
};

TEST_F(Prepare, EqualsPreprocessUpToTheInt16Code) {
  convert_nnunet(2);
  Plan plan = test::small_plan({"T2"});
  plan.transpose = {1, 0, 2};
  const PrepareConfig how = config(plan);

  prepare_alone(how);

  const PreparedSet set(how.out);
  ASSERT_EQ(set.cases().size(), 2u);
  const PreparedCase& item = set.cases()[1];
  EXPECT_EQ(item.id, "case_01");
  EXPECT_EQ(item.label, "manual");
  EXPECT_EQ(item.sequence, "T2");
  const StoredImage source = small_image(1);
  const Reorientation to = to_canonical(source.grid);
  const LabelImage labels = to_labels(reorient(small_mask(1), to), "mask");
  const PreparedImage wanted =
      preprocess({to_float(reorient(source, to), "image")}, &labels,
                 {plan.spacing_mm, plan.transpose, plan.normalization}, 1, "case_01");
  ASSERT_EQ(item.size, wanted.geometry.size);
  EXPECT_EQ(item.crop, wanted.geometry.crop);
  EXPECT_TRUE(same_grid(item.canonical, wanted.geometry.canonical));
  EXPECT_EQ(item.flipped, to.flipped);
  std::vector<float> image(static_cast<std::size_t>(count(item.size)));
  std::vector<std::int16_t> found(image.size());
  set.read_patch(1, {{0, 0, 0}, item.size}, image, found);
  for (std::size_t i = 0; i < image.size(); ++i) {
    ASSERT_NEAR(image[i], wanted.channels[0][i], 0.51 * item.slope[0]);
  }
  EXPECT_EQ(found, wanted.labels);
  EXPECT_FALSE(set.foreground(1, 1).empty());
}

TEST_F(Prepare, MakesOneSampleOfSeveralChannels) {
  write_image(in_ / "a1.nii.gz", small_image(1));
  StoredImage second = small_image(2);
  second.grid = small_image(1).grid;
  write_image(in_ / "a2.nii.gz", second);
  write_image(in_ / "b1.nii.gz", small_image(3));
  write_image(in_ / "b2.nii.gz", small_image(4));  // on a grid of its own
  write_image(in_ / "c1.nii.gz", small_image(5));
  write_file(in_ / "t.csv",
             "id,image,sequence\na,a1.nii.gz,T1\na,a2.nii.gz,T2\nb,b1.nii.gz,T1\nb,b2.nii.gz,T2\n"
             "c,c1.nii.gz,T1\n");
  ConvertConfig conversion = test::nnunet_config(in_ / "t.csv", cohort_);
  conversion.source = "table";
  test::convert_alone(conversion);
  PrepareConfig how = config(test::small_plan({"T1", "T2"}));

  const std::string text = refusal(ExitCode::kBadData, [&] { prepare_alone(how); });
  EXPECT_TRUE(contains(text, "b: sequence 'T2' lies on another grid")) << text;
  EXPECT_TRUE(contains(text, "c: has no sequence 'T2'")) << text;
  EXPECT_FALSE(fs::exists(how.out));

  how.exclude_bad = true;
  prepare_alone(how);
  const PreparedSet set(how.out);
  ASSERT_EQ(set.cases().size(), 1u);
  EXPECT_EQ(set.channels(), 2);
  EXPECT_EQ(set.cases()[0].sequence, "T1+T2");
  EXPECT_FALSE(set.cases()[0].has_labels);
}

TEST_F(Prepare, MakesOneSampleASequence) {
  write_image(in_ / "Vendor_A/0001-A-S1/GED4.nii.gz", small_image(1));
  write_image(in_ / "Vendor_A/0001-A-S1/mask_GED4.nii.gz", small_mask(1));
  write_image(in_ / "Vendor_A/0001-A-S1/T1.nii.gz", small_image(2));
  write_image(in_ / "Vendor_B1/0002-B1-S4/T1.nii.gz", small_image(3));
  ConvertConfig conversion = test::nnunet_config(in_, cohort_);
  conversion.source = "liqa";
  test::convert_alone(conversion);
  const auto ids = [&](const SampleSelection& select) {
    PrepareConfig how = config(test::small_plan({"GED4"}));
    how.select = select;
    fs::remove_all(how.out);
    prepare_alone(how);
    std::vector<std::string> found;
    const PreparedSet set(how.out);
    for (const PreparedCase& item : set.cases()) {
      found.push_back(item.id + ":" + item.label + ":" + std::to_string(item.stage.value_or(0)));
    }
    return found;
  };
  using Ids = std::vector<std::string>;

  EXPECT_EQ(ids({}), (Ids{"0001-A-S1:manual:1"}));
  EXPECT_EQ(ids({.sequence = {"T1"}}), (Ids{"0001-A-S1:none:1", "0002-B1-S4:none:4"}));
  EXPECT_EQ(ids({.sequence = {"GED4", "T1"}}),
            (Ids{"0001-A-S1/GED4:manual:1", "0001-A-S1/T1:none:1", "0002-B1-S4/T1:none:4"}));
  EXPECT_EQ(ids({.sequence = {"GED4", "T1"}, .label = {"manual"}}),
            (Ids{"0001-A-S1/GED4:manual:1"}));
  EXPECT_EQ(ids({.sequence = {"T1"}, .domain = {"B1"}}), (Ids{"0002-B1-S4:none:4"}));
  EXPECT_TRUE(contains(refusal(ExitCode::kBadData, [&] { ids({.split = {"trian"}}); }), "'train'"));
  EXPECT_TRUE(contains(refusal(ExitCode::kBadData, [&] { ids({.sequence = {"T9"}}); }), "T9"));
}

TEST_F(Prepare, KeepsIgnoreAndOutsideLabels) {
  StoredImage image = small_image(1);
  // Background zeros around a bright block: voxels outside it become −1 inside the crop.
  std::fill(image.voxels.begin(), image.voxels.begin() + 2 * 7 * 6, std::byte{0});
  std::fill(image.voxels.begin() + 2 * 7 * 6, image.voxels.begin() + 2 * (7 * 6 + 3), std::byte{0});
  write_image(in_ / "imagesTr/a_0000.nii.gz", image);
  write_image(in_ / "labelsTr/a.nii.gz", small_mask(1, 2));
  write_file(
      in_ / "dataset.json",
      R"({"channel_names": {"0": "T2"}, "labels": {"background": 0, "liver": 1, "ignore": 2}})");
  test::convert_alone(test::nnunet_config(in_, cohort_));
  Plan plan = test::small_plan({"T2"});
  plan.spacing_mm = {1.5, 3.0, 1.25};  // the canonical spacing: nothing is resampled
  const PrepareConfig how = config(plan);

  prepare_alone(how);

  const PreparedSet set(how.out);
  EXPECT_EQ(set.labels().at("ignore"), 2);
  EXPECT_EQ(set.cases()[0].label_counts.at(2), 27);
  std::vector<float> values(static_cast<std::size_t>(count(set.cases()[0].size)));
  std::vector<std::int16_t> labels(values.size());
  set.read_patch(0, {{0, 0, 0}, set.cases()[0].size}, values, labels);
  EXPECT_EQ(std::count(labels.begin(), labels.end(), -1), 3);
}

TEST_F(Prepare, ContinuesAndDoesNothingTwice) {
  convert_nnunet(3);
  const PrepareConfig how = config(test::small_plan({"T2"}));
  prepare_alone(how);
  const auto written = fs::last_write_time(fs::path(how.out) / "prepared.json");

  prepare_alone(how);
  EXPECT_EQ(fs::last_write_time(fs::path(how.out) / "prepared.json"), written);

  Plan other = test::small_plan({"T2"});
  other.spacing_mm = {4, 4, 4};
  EXPECT_TRUE(
      contains(refusal(ExitCode::kUsage, [&] { prepare_alone(config(other)); }), "already"));
}

TEST_F(Prepare, NamesADamagedCohort) {
  convert_nnunet(2);
  const fs::path shard = cohort_ / "shards/shard-00000.h5";
  const PrepareConfig how = config(test::small_plan({"T2"}));
  int refused = 0;
  for (std::uintmax_t at = 64; at < fs::file_size(shard); at += 64) {
    test::flip_byte(shard, at);
    try {
      prepare_alone(how);
      fs::remove_all(how.out);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::kBadData);
      EXPECT_TRUE(contains(e.what(), "shard-00000.h5")) << e.what();
      ++refused;
    }
    test::flip_byte(shard, at);
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace hepar
