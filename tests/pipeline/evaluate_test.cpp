#include <hepar/pipeline/evaluate.h>

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <hepar/core/error.h>
#include <hepar/image/nifti.h>
#include <support/temporary.h>

namespace hepar {
namespace {

namespace fs = std::filesystem;

Grid grid_of_masks() {
  Grid grid;
  grid.size = {8, 9, 10};
  grid.spacing = {3, 2, 1};
  return grid;
}

LabelImage empty_mask() {
  const Grid grid = grid_of_masks();
  return {grid, std::vector<std::int16_t>(static_cast<std::size_t>(count(grid.size)), 0)};
}

void add_box(LabelImage& image, const BoxVox& box, std::int16_t label) {
  for (std::int64_t z = 0; z < box.size.z; ++z) {
    for (std::int64_t y = 0; y < box.size.y; ++y) {
      for (std::int64_t x = 0; x < box.size.x; ++x) {
        const OffsetVox at{box.start.z + z, box.start.y + y, box.start.x + x};
        image.voxels[static_cast<std::size_t>(linear_index(image.grid.size, at))] = label;
      }
    }
  }
}

LabelImage mask_with(const std::vector<BoxVox>& boxes, const std::vector<std::int16_t>& labels) {
  LabelImage image = empty_mask();
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    add_box(image, boxes[i], labels[i]);
  }
  return image;
}

const BoxVox kBody{{2, 2, 2}, {3, 3, 4}};
const BoxVox kShifted{{3, 2, 2}, {3, 3, 4}};  // one voxel = 3 mm along z
const BoxVox kIsland{{7, 8, 9}, {1, 1, 1}};

class Evaluate : public ::testing::Test {
 protected:
  Evaluate() {
    fs::create_directories(folder_.path() / "pred");
    fs::create_directories(folder_.path() / "ref");
    config_.pred = (folder_.path() / "pred").string();
    config_.ref = (folder_.path() / "ref").string();
    config_.out = (folder_.path() / "m.json").string();
    config_.threads = 2;
  }
  void write(const char* side, const std::string& name, const LabelImage& image) const {
    write_nifti(folder_.path() / side / name, from_labels(image));
  }
  void add_case(const std::string& id, const LabelImage& prediction,
                const LabelImage& reference) const {
    write("pred", id + ".nii.gz", prediction);
    write("ref", id + ".nii.gz", reference);
  }
  std::string error_text() const {
    try {
      evaluate_folders(config_);
    } catch (const DataError& e) {
      return e.what();
    }
    return "";
  }

  test::TemporaryFolder folder_;
  EvaluateConfig config_;
};

TEST_F(Evaluate, ScoresEachCaseInMillimetresAndSummarises) {
  add_case("a", mask_with({kBody}, {1}), mask_with({kBody}, {1}));
  add_case("b", mask_with({kShifted}, {1}), mask_with({kBody}, {1}));

  evaluate(config_, false);
  const Json found = read_json(config_.out);

  ASSERT_EQ(found["cases"].size(), 2U);
  EXPECT_EQ(found["cases"][0]["id"], "a");
  EXPECT_EQ(found["cases"][0]["dsc"], 1.0);
  EXPECT_EQ(found["cases"][0]["hd_mm"], 0.0);
  EXPECT_NEAR(found["cases"][1]["dsc"].get<double>(), 2.0 / 3, 1e-12);
  EXPECT_NEAR(found["cases"][1]["hd_mm"].get<double>(), 3, 1e-9);
  EXPECT_FALSE(found["cases"][0].contains("labels"));
  const Json& summary = found["summary"];
  EXPECT_EQ(summary["n"], 2);
  EXPECT_NEAR(summary["dsc"]["mean"].get<double>(), 5.0 / 6, 1e-12);
  EXPECT_NEAR(summary["dsc"]["sd"].get<double>(), std::sqrt(1.0 / 18), 1e-12);
  EXPECT_NEAR(summary["hd_mm"]["mean_finite"].get<double>(), 1.5, 1e-9);
  EXPECT_EQ(summary["hd_mm"]["n_missed"], 0);
  EXPECT_TRUE(found["conventions"].contains("hd95_mm"));
}

TEST_F(Evaluate, ChargesAMissWithTheImageDiagonal) {
  add_case("a", mask_with({kShifted}, {1}), mask_with({kBody}, {1}));
  add_case("b", empty_mask(), mask_with({kBody}, {1}));

  const Json found = evaluate_folders(config_);

  const double diagonal = std::sqrt(24.0 * 24 + 18.0 * 18 + 10.0 * 10);
  EXPECT_TRUE(found["cases"][1]["hd_mm"].is_null());
  EXPECT_EQ(found["cases"][1]["undefined"], "prediction empty");
  EXPECT_EQ(found["cases"][1]["flags"], Json::array({"undefined_distance"}));
  EXPECT_NEAR(found["cases"][1]["image_diagonal_mm"].get<double>(), diagonal, 1e-9);
  EXPECT_EQ(found["summary"]["hd_mm"]["n_missed"], 1);
  EXPECT_NEAR(found["summary"]["hd_mm"]["mean_finite"].get<double>(), 3, 1e-9);
  EXPECT_NEAR(found["summary"]["hd_mm"]["mean_penalised"].get<double>(), (3 + diagonal) / 2, 1e-9);
  EXPECT_TRUE(found["summary"]["hd_mm"]["sd_finite"].is_null());
}

TEST_F(Evaluate, ScoresEveryLabelAndFlagsTheOneACaseLacks) {
  const BoxVox second{{0, 0, 8}, {2, 2, 2}};
  add_case("a", mask_with({kBody, second}, {1, 2}), mask_with({kBody, second}, {1, 2}));
  add_case("b", mask_with({kShifted}, {1}), mask_with({kBody}, {1}));
  add_case("c", mask_with({kBody}, {1}), mask_with({kBody, second}, {1, 2}));

  const Json found = evaluate_folders(config_);

  EXPECT_EQ(found["labels"], Json::array({1, 2}));
  const Json& b = found["cases"][1];
  EXPECT_EQ(b["labels"]["2"]["flags"], Json::array({"both_empty"}));
  EXPECT_NEAR(b["dsc"].get<double>(), (2.0 / 3 + 1) / 2, 1e-12);
  EXPECT_NEAR(b["hd_mm"].get<double>(), 1.5, 1e-9);
  EXPECT_TRUE(b["flags"].empty());
  const Json& c = found["cases"][2];
  EXPECT_TRUE(c["hd_mm"].is_null());
  EXPECT_EQ(c["undefined"], "label 2: prediction empty");
  EXPECT_EQ(c["labels"]["1"]["hd_mm"], 0.0);
  EXPECT_EQ(found["summary"]["labels"]["2"]["hd_mm"]["n_missed"], 1);
  EXPECT_EQ(found["summary"]["labels"]["1"]["hd_mm"]["n_missed"], 0);
  const double charged = c["image_diagonal_mm"].get<double>() / 2;  // its label 1 is perfect
  EXPECT_NEAR(found["summary"]["hd_mm"]["mean_penalised"].get<double>(), (1.5 + charged) / 3, 1e-9);
}

TEST_F(Evaluate, ChosenLabelsMakeAllOthersBackground) {
  add_case("a", mask_with({kBody, kIsland}, {6, 4}), mask_with({kBody}, {6}));
  config_.labels = {6};

  const Json found = evaluate_folders(config_);

  EXPECT_EQ(found["cases"][0]["dsc"], 1.0);
  EXPECT_EQ(found["labels"], Json::array({6}));
}

TEST_F(Evaluate, ReportsRawAndLargestComponentSideBySide) {
  add_case("a", mask_with({kBody, kIsland}, {1, 1}), mask_with({kBody}, {1}));
  config_.largest_component = true;

  const Json found = evaluate_folders(config_);

  EXPECT_LT(found["cases"][0]["dsc"].get<double>(), 1.0);
  EXPECT_GT(found["cases"][0]["hd_mm"].get<double>(), 8.0);
  EXPECT_EQ(found["cases"][0]["largest_component"]["dsc"], 1.0);
  EXPECT_EQ(found["summary"]["largest_component"]["hd_mm"]["mean_finite"], 0.0);
}

TEST_F(Evaluate, BothEmptyIsPerfectAndCounted) {
  add_case("a", empty_mask(), empty_mask());
  config_.largest_component = true;

  const Json found = evaluate_folders(config_);

  EXPECT_EQ(found["cases"][0]["dsc"], 1.0);
  EXPECT_EQ(found["cases"][0]["hd_mm"], 0.0);
  EXPECT_EQ(found["cases"][0]["flags"], Json::array({"both_empty"}));
  EXPECT_EQ(found["cases"][0]["largest_component"]["dsc"], 1.0);
  EXPECT_EQ(found["summary"]["n_both_empty"], 1);
}

TEST_F(Evaluate, DoesNotDependOnThreads) {
  for (const char* id : {"a", "b", "c", "d"}) {
    add_case(id, mask_with({kShifted, kIsland}, {1, 2}), mask_with({kBody}, {1}));
  }
  config_.threads = 1;
  const std::string one = evaluate_folders(config_).dump();

  config_.threads = 3;

  EXPECT_EQ(evaluate_folders(config_).dump(), one);
}

TEST_F(Evaluate, ListsEveryBadCaseAtOnceAndWritesNothing) {
  add_case("good", mask_with({kBody}, {1}), mask_with({kBody}, {1}));
  write("pred", "only_predicted.nii.gz", empty_mask());
  write("ref", "only_reference.nii.gz", empty_mask());
  LabelImage moved = mask_with({kBody}, {1});
  moved.grid.origin.s += 1;
  add_case("other_grid", moved, mask_with({kBody}, {1}));
  add_case("negative", mask_with({kBody}, {-1}), mask_with({kBody}, {1}));
  Image<float> fraction{grid_of_masks(), std::vector<float>(720, 0.5F)};
  write_nifti(folder_.path() / "pred" / "fraction.nii.gz", from_float(fraction));
  write("ref", "fraction.nii.gz", empty_mask());
  write("ref", "good.nii", empty_mask());

  const std::string text = error_text();

  for (const char* part : {"only_predicted", "only_reference", "other_grid", "negative", "fraction",
                           "good.nii and good.nii.gz"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " not in:\n" << text;
  }
  EXPECT_THROW(evaluate(config_, false), DataError);
  EXPECT_FALSE(fs::exists(config_.out));
}

TEST_F(Evaluate, DryRunChecksHeadersAndWritesNothing) {
  add_case("a", mask_with({kBody}, {1}), mask_with({kBody}, {1}));
  evaluate(config_, true);
  EXPECT_FALSE(fs::exists(config_.out));

  LabelImage coarser = empty_mask();
  coarser.grid.spacing.z = 4;
  write("pred", "a.nii.gz", coarser);

  EXPECT_THROW(evaluate(config_, true), DataError);
}

TEST_F(Evaluate, WantsItsThreePathsAndRealFolders) {
  EvaluateConfig unset;
  EXPECT_THROW(evaluate(unset, false), ConfigError);

  EXPECT_NE(error_text().find("found none"), std::string::npos);
  config_.ref += "/nowhere";
  write("pred", "a.nii.gz", empty_mask());
  EXPECT_NE(error_text().find("found nothing"), std::string::npos);
}

TEST(EvaluateConfig, ReadsItsKeysFromYaml) {
  EvaluateConfig config;
  ConfigSchema schema;
  config.declare(schema);

  schema.read_yaml_text("pred: p\nref: r\nout: m.json\nlabels: [1, 6]\nlargest_component: true\n",
                        "test");

  EXPECT_EQ(config.labels, (std::vector<std::int64_t>{1, 6}));
  EXPECT_TRUE(config.largest_component);
  EXPECT_THROW(schema.set("labels=[0]"), ConfigError);
}

}  // namespace
}  // namespace hepar
