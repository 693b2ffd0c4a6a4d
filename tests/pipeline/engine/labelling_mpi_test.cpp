// Prediction, pseudo-labels, out-of-fold masks and what they remember of their ancestors.
#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/core/hash.h>
#include <hepar/image/nifti.h>
#include <hepar/io/lineage.h>
#include <hepar/io/pseudo_labels.h>
#include <hepar/pipeline/evaluate.h>
#include <hepar/pipeline/postprocess.h>
#include <hepar/pipeline/predict_command.h>
#include <hepar/pipeline/prediction_lineage.h>
#include <hepar/pipeline/pseudo_label_command.h>
#include <hepar/prep/prepare.h>
#include <hepar/prep/sets.h>
#include <hepar/train/model_folder.h>
#include <hepar/train/segmentation_trainer.h>

#include <cmath>

#include "pipeline/small_cohort.h"
#include "train/shared_folder.h"
#include "train/small_training.h"

namespace hepar {
namespace {

bool in_ball(OffsetVox at) {
  return std::hypot(static_cast<double>(at.z - 9), static_cast<double>(at.y - 10),
                    static_cast<double>(at.x - 11)) < 6;
}

test::SmallSequence sequence(int n, bool labelled) {
  Grid grid;
  grid.size = {18 + n % 3, 22, 24};
  test::SmallSequence result{"T1", grid, {}, {}};
  result.value = [n](OffsetVox at) {
    return 40 + static_cast<int>((at.z * 31 + at.y * 17 + at.x * 7 + n * 5) % 23) +
           (in_ball(at) ? 60 : 0);
  };
  if (labelled) {
    result.label = [](OffsetVox at) { return in_ball(at) ? 1 : 0; };
  }
  return result;
}

class Labelling : public ::testing::Test {
 protected:
  Labelling() {
    if (world.is_root()) {
      std::vector<test::SmallCase> cases;
      for (int n = 0; n < 9; ++n) {  // four with masks, three without, two to validate on
        cases.push_back({"case-" + std::to_string(n),
                         n < 7 ? "train" : "val",
                         "A",
                         {sequence(n, n < 4 || n >= 7)}});
      }
      test::write_small_cohort(folder.path() / "cohort", cases);
      plan.classes = {"background", "liver"};
      write_atomically(folder.path() / "plan.yaml", to_yaml(plan));
      write_model("model", 3);
    }
    world.barrier();
  }
  std::string path(const std::string& name) const { return (folder.path() / name).string(); }

  void write_model(const std::string& name, std::uint64_t seed, float background = 0) const {
    Model model;
    model.plan = plan;
    model.mirror_axes = {0, 2};
    model.network = make_unet(unet_options(plan), seed);
    const at::NoGradGuard no_grad;
    for (auto& item : model.network->named_parameters()) {
      if (background != 0 && item.key().find(".seg_layers.") != std::string::npos &&
          item.key().ends_with("bias")) {
        item.value()[0] += background;
      }
    }
    model.lineage.add({"elsewhere", "teacher-case", {"t"}}, CaseUse::kMask);
    save_model(path(name), model);
  }

  PredictConfig predicting(const std::string& in, const std::string& out) const {
    PredictConfig config;
    config.model = {path("model")};
    config.in = path(in);
    config.out = path(out);
    config.compute.device = "cpu";
    config.threads = 1;
    return config;
  }
  PseudoLabelConfig labelling(const std::string& out) const {
    PseudoLabelConfig config;
    config.model = {path("model")};
    config.data = path("cohort");
    config.out = path(out);
    config.compute.device = "cpu";
    config.threads = 1;
    return config;
  }
  template <class Work>
  void alone(Work&& work) {
    if (world.is_root()) {
      Communicator self = Communicator::self();
      work(self);
    }
    world.barrier();
  }
  void prepare_set(const std::string& out, const std::string& pseudo = "") {
    PrepareConfig config;
    config.data = path("cohort");
    config.plan = path("plan.yaml");
    config.out = path(out);
    config.pseudo = pseudo.empty() ? "" : path(pseudo);
    config.threads = 1;
    prepare(config, world);
  }
  std::string files(const std::string& name) const {
    std::map<std::string, std::string> hashes;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path() / name)) {
      if (entry.is_regular_file()) {
        hashes[fs::relative(entry.path(), folder.path() / name).string()] =
            to_hex(xxh64_of_file(entry.path().string()));
      }
    }
    std::string text;
    for (const auto& [file, hash] : hashes) {
      text += file + " " + hash + "\n";
    }
    return text;
  }
  template <class Work>
  std::string complaint(ExitCode code, Work&& work) {
    try {
      work();
    } catch (const Error& e) {
      EXPECT_EQ(static_cast<int>(e.code()), static_cast<int>(code)) << e.what();
      return e.what();
    }
    return "";
  }
  /// Masks of the cohort as `evaluate` wants them.
  std::string references(const std::vector<int>& cases) const {
    if (world.is_root()) {
      for (const int n : cases) {
        const test::SmallSequence item = sequence(n, true);
        LabelImage mask{item.grid, {}};
        for (OffsetVox at; at.z < item.grid.size.z; ++at.z) {
          for (at.y = 0; at.y < item.grid.size.y; ++at.y) {
            for (at.x = 0; at.x < item.grid.size.x; ++at.x) {
              mask.voxels.push_back(static_cast<std::int16_t>(in_ball(at)));
            }
          }
        }
        fs::create_directories(path("ref"));
        write_nifti(path("ref/case-" + std::to_string(n) + ".nii.gz"), from_labels(mask));
      }
    }
    return path("ref");
  }

  Communicator world = Communicator::world();
  test::RankFolder folder{world};
  Plan plan = [] {
    Plan small = test::small_plan();
    small.classes = {"background", "liver"};
    return small;
  }();
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Labelling, PredictsTheSameOnAnyRanks) {
  alone(
      [&](Communicator& self) { run_predict_command(predicting("cohort", "alone"), false, self); });

  run_predict_command(predicting("cohort", "together"), false, world);

  EXPECT_EQ(files("together"), files("alone"));
  const auto groups = read_prediction_lineage(path("together"));
  ASSERT_EQ(groups.size(), 1U);
  EXPECT_EQ(groups[0].cases.size(), 9U);
  EXPECT_TRUE(groups[0].lineage.uses({"elsewhere", "teacher-case", {}}, CaseUse::kMask));
}

TEST_F(Labelling, SharesTheTilesOfOneCase) {
  alone([&](Communicator& self) {
    fs::create_directories(path("one"));
    Image<float> image{sequence(0, false).grid, {}};
    for (std::int64_t i = 0; i < count(image.grid.size); ++i) {
      image.voxels.push_back(static_cast<float>((i * 37) % 101));
    }
    write_nifti(path("one/x.nii.gz"), from_float(image));
    PredictConfig config = predicting("one", "alone");
    config.tile_batch = 2;
    run_predict_command(config, false, self);
  });
  PredictConfig config = predicting("one", "together");
  config.tile_batch = 2;

  run_predict_command(config, false, world);

  EXPECT_EQ(files("together"), files("alone"));
  const auto groups = read_prediction_lineage(path("together"));
  EXPECT_EQ(groups.at(0).cases.at(0).identity.images.size(), 1U);  // learnt by reading
}

TEST_F(Labelling, PredictionContinuesAndRefusesOtherModels) {
  run_predict_command(predicting("cohort", "out"), false, world);
  const std::string before = files("out");
  world.barrier();
  if (world.is_root()) {
    fs::remove(path("out/case-3.nii.gz"));
    write_model("other", 4);
  }
  world.barrier();

  run_predict_command(predicting("cohort", "out"), false, world);

  EXPECT_EQ(files("out"), before);
  PredictConfig other = predicting("cohort", "out");
  other.model = {path("other")};
  EXPECT_TRUE(has(complaint(ExitCode::kUsage, [&] { run_predict_command(other, false, world); }),
                  "other models"));
}

TEST_F(Labelling, NamesBadCasesAndDoesTheOthers) {
  if (world.is_root()) {
    fs::create_directories(path("in"));
    for (int n = 0; n < 3; ++n) {
      Image<float> image{sequence(0, false).grid, {}};
      image.voxels.assign(static_cast<std::size_t>(count(image.grid.size)), 1.0F + n);
      image.voxels[5] = 9;
      write_nifti(path("in/x" + std::to_string(n) + ".nii"), from_float(image));
    }
    fs::resize_file(path("in/x1.nii"), 400);
  }
  world.barrier();

  const std::string text = complaint(
      ExitCode::kBadData, [&] { run_predict_command(predicting("in", "out"), false, world); });

  EXPECT_TRUE(has(text, "case x1: ")) << text;
  EXPECT_TRUE(fs::exists(path("out/x0.nii.gz")));
  EXPECT_TRUE(fs::exists(path("out/x2.nii.gz")));
}

TEST_F(Labelling, PseudoLabelsAreTheSameOnAnyRanks) {
  const std::string cohort = files("cohort");
  PseudoLabelConfig config = labelling("alone");
  config.ignore_below = 0.7;
  config.drop_lowest = 0.4;
  alone([&](Communicator& self) { run_pseudo_label_command(config, false, self); });
  config.out = path("together");

  run_pseudo_label_command(config, false, world);

  EXPECT_EQ(files("together"), files("alone"));
  EXPECT_EQ(files("cohort"), cohort);
  const PseudoLabelSet set = read_pseudo_labels(path("together"));
  ASSERT_EQ(set.cases.size(), 3U);  // of train, without a mask
  EXPECT_EQ(set.cases[0].case_id, "case-4");
  EXPECT_EQ(set.labels.at("ignore"), 2);
  int dropped = 0;
  for (const PseudoLabel& label : set.cases) {
    EXPECT_GT(label.confidence, 0.5);
    EXPECT_LT(label.confidence, 1);
    dropped += label.dropped.empty() ? 0 : 1;
    const LabelImage mask = to_labels(read_nifti(path("together/" + label.file)), "mask");
    EXPECT_EQ(std::count(mask.voxels.begin(), mask.voxels.end(), 2), label.ignored);
    EXPECT_EQ(std::count(mask.voxels.begin(), mask.voxels.end(), 1), label.voxels);
  }
  EXPECT_EQ(dropped, 1);                           // 40 % of three
  run_pseudo_label_command(config, false, world);  // nothing to do
  EXPECT_EQ(files("together"), files("alone"));
}

TEST_F(Labelling, RefusesWhatMustNotBeLabelled) {
  PseudoLabelConfig config = labelling("out");
  config.split = {"train", "val"};
  EXPECT_TRUE(
      has(complaint(ExitCode::kUsage, [&] { run_pseudo_label_command(config, false, world); }),
          "allow_transductive"));
  if (world.is_root()) {
    plan.classes = {"background", "spleen"};
    write_model("spleen", 1);
  }
  world.barrier();
  config = labelling("out");
  config.model = {path("spleen")};
  const std::string text =
      complaint(ExitCode::kUsage, [&] { run_pseudo_label_command(config, false, world); });
  EXPECT_TRUE(has(text, "wanted the cohort's classes (liver), found spleen")) << text;
  EXPECT_FALSE(fs::exists(path("out.partial")));
}

TEST_F(Labelling, EmptyMasksAreNamedAndCanBeLeftOut) {
  if (world.is_root()) {
    write_model("blind", 3, 1e4F);
  }
  world.barrier();
  PseudoLabelConfig config = labelling("out");
  config.model = {path("blind")};

  const std::string text =
      complaint(ExitCode::kBadData, [&] { run_pseudo_label_command(config, false, world); });

  EXPECT_TRUE(has(text, "case-4/T1, case-5/T1, case-6/T1")) << text;
  EXPECT_FALSE(fs::exists(path("out")));
  const fs::path mask = path("out.partial/masks/case-4.nii.gz");
  ASSERT_TRUE(fs::exists(mask));
  const auto written = fs::last_write_time(mask);
  world.barrier();
  config.min_confidence = 0.5;
  run_pseudo_label_command(config, false, world);  // continues: no mask is made twice
  EXPECT_EQ(fs::last_write_time(path("out/masks/case-4.nii.gz")), written);
  for (const PseudoLabel& label : read_pseudo_labels(path("out")).cases) {
    EXPECT_FALSE(label.dropped.empty());
  }
}

TEST_F(Labelling, AStudentRemembersItsTeachers) {
  run_pseudo_label_command(labelling("pseudo"), false, world);
  prepare_set("set", "pseudo");
  TrainConfig config = test::small_config(path("set"), path("student"), 1);
  train_segmentation(config, world);

  const Lineage lineage = load_model(folder.path() / "student/model").lineage;
  EXPECT_EQ(lineage.count(CaseUse::kImage), 7U);
  EXPECT_EQ(lineage.count(CaseUse::kMask), 5U);  // four of its own, and its teacher's
  EXPECT_TRUE(lineage.uses({"elsewhere", "teacher-case", {}}, CaseUse::kMask));

  PredictConfig predict = predicting("cohort", "masks");
  predict.model = {path("student")};
  run_predict_command(predict, false, world);
  world.barrier();
  if (world.is_root()) {
    EvaluateConfig scoring;
    scoring.pred = path("masks");
    scoring.ref = references({0, 1, 2, 3, 4, 5, 6, 7, 8});
    const std::string text = complaint(ExitCode::kUsage, [&] { evaluate_folders(scoring); });
    EXPECT_TRUE(has(text, "case-0, case-1, case-2, case-3;")) << text;
    for (int n = 0; n < 4; ++n) {
      fs::remove(path("masks/case-" + std::to_string(n) + ".nii.gz"));
      fs::remove(path("ref/case-" + std::to_string(n) + ".nii.gz"));
    }
    const Json document = evaluate_folders(scoring);
    EXPECT_EQ(document["lineage"]["transductive"], 3);
    EXPECT_EQ(document["lineage"]["of"], 5);
  }
}

TEST_F(Labelling, FoldsPredictWhatTheyHeldOut) {
  prepare_set("set");
  PredictConfig predict = predicting("cohort", "oof");
  predict.model.clear();
  predict.held_out = true;
  for (int fold = 0; fold < 2; ++fold) {
    TrainConfig config = test::small_config(path("set"), path("fold-" + std::to_string(fold)), 1);
    config.data.fold = std::to_string(fold);
    config.data.folds = 2;
    train_segmentation(config, world);
    predict.model.push_back(config.out);
  }

  run_predict_command(predict, false, world);

  const auto groups = read_prediction_lineage(path("oof"));
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].cases.size() + groups[1].cases.size(), 4U);
  for (int n = 0; n < 4; ++n) {
    EXPECT_TRUE(fs::exists(path("oof/case-" + std::to_string(n) + ".nii.gz")));
  }
  PostprocessConfig fit;
  fit.pred = path("oof");
  fit.ref = references({0, 1, 2, 3});
  world.barrier();
  const Json rule = fit_postprocessing(fit);  // no fold saw what it predicted
  EXPECT_EQ(rule["uses"].size(), 4U);
  predict.model = {path("fold-0"), path("fold-0")};
  predict.out = path("twice");
  EXPECT_TRUE(has(complaint(ExitCode::kUsage, [&] { run_predict_command(predict, false, world); }),
                  "held out by two"));
}

}  // namespace
}  // namespace hepar
