#include <hepar/pipeline/postprocess.h>

#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/image/nifti.h>
#include <hepar/pipeline/evaluate.h>
#include <hepar/pipeline/prediction_lineage.h>
#include <support/temporary.h>

namespace hepar {
namespace {

/// A row of voxels is enough for components: '.' background, digits labels.
LabelImage row(const std::string& text) {
  LabelImage image;
  image.grid.size = {1, 1, static_cast<std::int64_t>(text.size())};
  for (const char c : text) {
    image.voxels.push_back(static_cast<std::int16_t>(c == '.' ? 0 : c - '0'));
  }
  return image;
}

std::string text_of(const LabelImage& image) {
  std::string text;
  for (const std::int16_t label : image.voxels) {
    text += label == 0 ? '.' : static_cast<char>('0' + label);
  }
  return text;
}

class Postprocess : public ::testing::Test {
 protected:
  Postprocess() {
    fs::create_directories(folder.path() / "pred");
    fs::create_directories(folder.path() / "ref");
    config.pred = (folder.path() / "pred").string();
    config.ref = (folder.path() / "ref").string();
    config.out = (folder.path() / "postprocessing.json").string();
    config.threads = 2;
  }
  void add(const std::string& id, const std::string& prediction, const std::string& reference) {
    write_nifti(folder.path() / "pred" / (id + ".nii.gz"), from_labels(row(prediction)));
    write_nifti(folder.path() / "ref" / (id + ".nii.gz"), from_labels(row(reference)));
  }
  std::vector<std::int64_t> fitted() const {
    return fit_postprocessing(config)["keep_largest"].get<std::vector<std::int64_t>>();
  }
  void predicted_by(const Lineage& lineage) const {
    PredictionGroup group{.models = {"m"}, .cases = {}, .lineage = lineage};
    for (const char* id : {"a", "b"}) {
      group.cases.push_back(
          {id, {.cohort = "c", .case_id = id, .images = {std::string("h") + id}}});
    }
    add_prediction_lineage(config.pred, {group});
  }
  std::string refusal(const std::function<void()>& work) const {
    try {
      work();
      return "";
    } catch (const ConfigError& e) {
      return e.what();
    }
  }

  test::TemporaryFolder folder;
  PostprocessConfig config;
};

using Steps = std::vector<std::int64_t>;

TEST_F(Postprocess, StepsKeepLargestComponents) {
  const auto after = [](const Steps& steps, const std::string& text) {
    LabelImage image = row(text);
    apply_rule({steps, {}}, image);
    return text_of(image);
  };

  EXPECT_EQ(after({}, "11.1"), "11.1");
  EXPECT_EQ(after({0}, "112.2.1"), "112....");
  EXPECT_EQ(after({1}, "112.2.1"), "112.2..");
  EXPECT_EQ(after({1, 2}, "112.22.1"), "11..22..");
  EXPECT_EQ(after({1}, "11.2.11"), "11.2.11");  // ties are all kept
}

TEST_F(Postprocess, KeepsTheForegroundStepWhenTheMeanRisesAndNoneFalls) {
  add("a", "111..1..", "111.....");
  add("b", "111.....", "111.....");

  EXPECT_EQ(fitted(), Steps{0});
  const Json decision = fit_postprocessing(config)["decisions"][0];
  EXPECT_NEAR(decision["dice_before"]["mean"], (6.0 / 7 + 1) / 2, 1e-12);
  EXPECT_EQ(decision["dice_after"]["mean"], 1.0);
}

TEST_F(Postprocess, LeavesTrueIslandsAlone) {
  add("a", "111..1..", "111..1..");

  EXPECT_EQ(fitted(), Steps{});
}

TEST_F(Postprocess, RefusesAForegroundStepThatCostsALabelAndTakesTheOtherAlone) {
  // Label 2 lies apart and would go with the foreground's small parts; label 1 has a wrong island.
  add("a", "1111..1..22", "1111.....22");

  EXPECT_EQ(fitted(), Steps{1});
}

TEST_F(Postprocess, IsFittedOnlyOnCasesTheModelsNeverSaw) {
  add("a", "111..1", "111...");
  add("b", "111...", "111...");
  Lineage lineage;
  lineage.add({"elsewhere", "x", {"hb"}}, CaseUse::kMask);
  predicted_by(lineage);

  const std::string text = refusal([&] { fit_postprocessing(config); });

  EXPECT_NE(text.find("1 scored case(s)"), std::string::npos) << text;
  EXPECT_NE(text.find(": b;"), std::string::npos) << text;
}

TEST_F(Postprocess, EvaluateReportsBothAndRefusesWhatItWasFittedOn) {
  add("a", "111..1", "111...");
  add("b", "111...", "111...");
  Lineage lineage;
  lineage.add({"c", "a", {}}, CaseUse::kImage);
  predicted_by(lineage);
  write_json(config.out, fit_postprocessing(config));
  EvaluateConfig scoring;
  scoring.pred = config.pred;
  scoring.ref = config.ref;
  scoring.postprocessing = config.out;
  EXPECT_NE(refusal([&] { evaluate_folders(scoring); }).find("was fitted on 2"), std::string::npos);

  Json other = read_json(config.out);
  other["uses"] = Json::array();
  write_json(config.out, other);
  const Json document = evaluate_folders(scoring);

  EXPECT_NEAR(document["cases"][0]["dsc"], 6.0 / 7, 1e-12);
  EXPECT_EQ(document["cases"][0]["postprocessed"]["dsc"], 1.0);
  EXPECT_EQ(document["summary"]["postprocessed"]["dsc"]["mean"], 1.0);
  EXPECT_EQ(document["lineage"]["transductive"], 1);
  EXPECT_EQ(document["lineage"]["of"], 2);
}

TEST_F(Postprocess, EvaluateRefusesACaseWhoseMaskWasTrainedOn) {
  add("a", "111...", "111...");
  add("b", "111...", "111...");
  Lineage lineage;
  lineage.add({"c", "b", {}}, CaseUse::kMask);
  predicted_by(lineage);
  EvaluateConfig scoring;
  scoring.pred = config.pred;
  scoring.ref = config.ref;
  scoring.out = (folder.path() / "m.json").string();

  const std::string text = refusal([&] { evaluate(scoring, false); });

  EXPECT_NE(text.find("with their masks: b"), std::string::npos) << text;
  EXPECT_FALSE(fs::exists(scoring.out));
}

TEST_F(Postprocess, PredictionsOfOtherModelsAreNotMixed) {
  predicted_by({});
  PredictionGroup other{.models = {"n"}, .cases = {{"b", {}}}, .lineage = {}};

  EXPECT_NE(refusal([&] { add_prediction_lineage(config.pred, {other}); }).find("made of b"),
            std::string::npos);
  other.cases = {{"c", {.cohort = "", .case_id = "c", .images = {}}}};
  add_prediction_lineage(config.pred, {other});
  EXPECT_EQ(read_prediction_lineage(config.pred).size(), 2U);
  predicted_by({});
  EXPECT_EQ(read_prediction_lineage(config.pred).size(), 2U);
}

TEST_F(Postprocess, RefusesADamagedFile) {
  for (const char* text : {"{}", R"({"format": 2, "keep_largest": [], "uses": []})",
                           R"({"format": 1, "keep_largest": [-1], "uses": []})",
                           R"({"format": 1, "keep_largest": ["liver"], "uses": []})"}) {
    write_atomically(config.out, std::string(text));
    EXPECT_THROW(read_postprocess_rule(config.out), DataError) << text;
  }
}

}  // namespace
}  // namespace hepar
