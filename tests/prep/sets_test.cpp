#include "hepar/prep/sets.h"

#include <gtest/gtest.h>

#include <sstream>

#include "hepar/core/json.h"
#include "hepar/core/text.h"
#include "hepar/image/orientation.h"
#include "hepar/io/prepared_set.h"
#include "prep/cohorts.h"
#include "prep/plans.h"
#include "support/temporary.h"

namespace hepar {
namespace {

using test::contains;
using test::refusal;

class Sets : public ::testing::Test {
 protected:
  void make_cohort() {
    test::write_nnunet_cohort(in_, 2);
    test::convert_alone(test::nnunet_config(in_, cohort_));
  }

  void make_prepared() {
    make_cohort();
    test::write_file(folder_.path() / "plan.yaml", to_yaml(test::small_plan({"T2"})));
    PrepareConfig how;
    how.data = cohort_.string();
    how.plan = (folder_.path() / "plan.yaml").string();
    how.out = prepared_.string();
    test::prepare_alone(how);
  }

  static void verify_alone(const fs::path& set) {
    Communicator self = Communicator::self();
    verify({set.string()}, self);
  }

  void export_alone(const fs::path& set) {
    Communicator self = Communicator::self();
    export_set({set.string(), out_.string()}, self);
  }

  static std::vector<Json> inspected(const fs::path& path) {
    testing::internal::CaptureStdout();
    std::string thrown;
    try {
      inspect({path.string(), true});
    } catch (const Error& e) {
      thrown = e.what();
    }
    std::vector<Json> lines;
    for (const std::string& line : split(testing::internal::GetCapturedStdout(), '\n')) {
      if (!line.empty()) {
        lines.push_back(Json::parse(line));
      }
    }
    return lines;
  }

  test::TemporaryFolder folder_;
  fs::path in_ = folder_.path() / "in";
  fs::path cohort_ = folder_.path() / "cohort";
  fs::path prepared_ = folder_.path() / "prepared";
  fs::path out_ = folder_.path() / "out";
};

TEST_F(Sets, VerifyFindsAnyFlippedByte) {
  make_prepared();
  for (const fs::path& set : {cohort_, prepared_}) {
    verify_alone(set);
    for (const auto& entry : fs::recursive_directory_iterator(set)) {
      if (!entry.is_regular_file()) {
        continue;
      }
      const std::uintmax_t step = std::max<std::uintmax_t>(1, entry.file_size() / 40);
      for (std::uintmax_t at = 0; at < entry.file_size(); at += step) {
        test::flip_byte(entry.path(), at);
        const std::string text = refusal(ExitCode::kBadData, [&] { verify_alone(set); });
        EXPECT_TRUE(contains(text, entry.path().filename().string())) << at << ": " << text;
        test::flip_byte(entry.path(), at);
      }
    }
    verify_alone(set);
  }
}

TEST_F(Sets, VerifyNamesTheArrayEvenWithoutFileChecksums) {
  make_cohort();
  fs::remove(cohort_ / "checksums.json");
  std::string manifest = read_text(cohort_ / "manifest.json");
  const std::size_t at = manifest.find("\"hash\": \"") + 9;
  manifest[at] = manifest[at] == '0' ? '1' : '0';
  test::write_file(cohort_ / "manifest.json", manifest);

  const std::string text = refusal(ExitCode::kBadData, [&] { verify_alone(cohort_); });

  EXPECT_TRUE(contains(text, "/cases/case_00/T2/image")) << text;
}

TEST_F(Sets, VerifyFindsAMissingShardAndAWrongFolder) {
  make_cohort();
  fs::remove(cohort_ / "shards/shard-00000.h5");
  EXPECT_TRUE(contains(refusal(ExitCode::kBadData, [&] { verify_alone(cohort_); }), "shard-00000"));
  EXPECT_TRUE(contains(refusal(ExitCode::kBadData, [&] { verify_alone(in_); }), "wanted a set"));
}

TEST_F(Sets, ExportGivesBackTheVoxelsBitByBit) {
  test::write_nnunet_cohort(in_, 2);
  StoredImage scaled = test::small_image(7);
  scaled.slope = 0.25;
  scaled.intercept = -3;
  test::write_image(in_ / "imagesTs/scaled_0000.nii.gz", scaled);
  test::convert_alone(test::nnunet_config(in_, cohort_));

  export_alone(cohort_);

  const auto expect_same = [](const fs::path& a, const fs::path& b) {
    const StoredImage wanted = read_nifti(a);
    const StoredImage found = read_nifti(b);
    EXPECT_EQ(found.voxels, wanted.voxels) << b;
    EXPECT_EQ(found.type, wanted.type);
    EXPECT_EQ(found.slope, wanted.slope);
    EXPECT_EQ(found.intercept, wanted.intercept);
    EXPECT_TRUE(same_grid(found.grid, wanted.grid, 1e-4));
  };
  expect_same(in_ / "imagesTr/case_01_0000.nii.gz", out_ / "case_01/T2.nii.gz");
  expect_same(in_ / "labelsTr/case_01.nii.gz", out_ / "case_01/mask_T2.nii.gz");
  expect_same(in_ / "imagesTs/scaled_0000.nii.gz", out_ / "scaled/T2.nii.gz");
  EXPECT_TRUE(contains(refusal(ExitCode::kUsage, [&] { export_alone(cohort_); }), "already there"));
}

TEST_F(Sets, ExportOfAPreparedSetLiesWhereTheCaseLies) {
  make_prepared();

  export_alone(prepared_);

  const StoredImage image = read_nifti(out_ / "case_00/channel_00.nii.gz");
  const LabelImage labels = to_labels(read_nifti(out_ / "case_00/labels.nii.gz"), "labels");
  EXPECT_EQ(image.type, VoxelType::kFloat32);
  // Centre of mass of the labels against that of the original mask, both in patient space.
  const auto centre = [](const LabelImage& mask) {
    WorldMm sum;
    double n = 0;
    for (std::int64_t i = 0; i < count(mask.grid.size); ++i) {
      if (mask.voxels[static_cast<std::size_t>(i)] == 1) {
        const auto x = i % mask.grid.size.x;
        const auto y = i / mask.grid.size.x % mask.grid.size.y;
        const auto z = i / mask.grid.size.x / mask.grid.size.y;
        const WorldMm at = to_world(mask.grid, static_cast<double>(z), static_cast<double>(y),
                                    static_cast<double>(x));
        sum = {sum.r + at.r, sum.a + at.a, sum.s + at.s};
        ++n;
      }
    }
    return WorldMm{sum.r / n, sum.a / n, sum.s / n};
  };
  const WorldMm wanted = centre(to_labels(test::small_mask(0), "mask"));
  const WorldMm found = centre(labels);
  EXPECT_NEAR(found.r, wanted.r, 1.0);
  EXPECT_NEAR(found.a, wanted.a, 1.0);
  EXPECT_NEAR(found.s, wanted.s, 1.0);
  // Nothing is cropped, so resampling keeps the outer corner of the first voxel.
  const Grid source = test::small_image(0).grid;
  const WorldMm corner = to_world(reorient(source, to_canonical(source)), -0.5, -0.5, -0.5);
  const WorldMm moved = to_world(image.grid, -0.5, -0.5, -0.5);
  EXPECT_NEAR(moved.r, corner.r, 1e-4);
  EXPECT_NEAR(moved.a, corner.a, 1e-4);
  EXPECT_NEAR(moved.s, corner.s, 1e-4);
}

TEST_F(Sets, InspectTellsWhatAFileHolds) {
  StoredImage image = test::small_image(2);
  image.slope = 2;
  image.intercept = 5;
  test::write_image(in_ / "a.nii.gz", image);

  const Json line = inspected(in_ / "a.nii.gz").at(0);

  EXPECT_EQ(line.at("status"), "ok");
  EXPECT_EQ(line.at("size"), Json({5, 6, 7}));
  EXPECT_EQ(line.at("type"), "int16");
  EXPECT_EQ(line.at("slope"), 2.0);
  EXPECT_EQ(line.at("min"), 2 * (2 * 7 + 1) + 5.0);
  // Columns of the affine are the steps of x, y, z: x goes left, y up, z to posterior.
  EXPECT_NEAR(line.at("affine").at(0).at(0).get<double>(), -1.25, 1e-5);
  EXPECT_NEAR(line.at("affine").at(2).at(1).get<double>(), 1.5, 1e-5);
  EXPECT_NEAR(line.at("affine").at(1).at(2).get<double>(), -3.0, 1e-5);
  EXPECT_NEAR(line.at("affine").at(0).at(3).get<double>(), 12.0, 1e-5);
}

TEST_F(Sets, InspectWalksAFolderPastRefusedFiles) {
  test::write_image(in_ / "deep/down/a.nii.gz", test::small_image(1));
  test::write_file(in_ / "deep/b.nii", "no image");
  test::write_file(in_ / "deep/c.txt", "not looked at");

  const std::vector<Json> lines = inspected(in_);

  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("status"), "refused");
  EXPECT_FALSE(lines[0].at("reason").get<std::string>().empty());
  EXPECT_EQ(lines[1].at("status"), "ok");
  testing::internal::CaptureStdout();
  EXPECT_NO_THROW(inspect({in_.string(), false}));
  EXPECT_THROW(inspect({(in_ / "deep/b.nii").string(), true}), DataError);
  testing::internal::GetCapturedStdout();
}

TEST_F(Sets, InspectReadsSets) {
  make_prepared();

  EXPECT_EQ(inspected(cohort_).size(), 2u);
  EXPECT_EQ(inspected(cohort_)[0].at("file"), "case_00/T2");
  EXPECT_EQ(inspected(prepared_)[1].at("type"), "float32");
  EXPECT_NEAR(inspected(prepared_)[1].at("mean").get<double>(), 0, 0.2);
}

}  // namespace
}  // namespace hepar
