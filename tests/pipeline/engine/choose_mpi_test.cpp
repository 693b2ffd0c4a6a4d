// Two configurations together, their logits as files, and the choice among configurations.
#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/core/hash.h>
#include <hepar/core/json.h>
#include <hepar/image/nifti.h>
#include <hepar/image/orientation.h>
#include <hepar/pipeline/choose_command.h>
#include <hepar/pipeline/evaluate.h>
#include <hepar/pipeline/predict_command.h>
#include <hepar/pipeline/prediction_lineage.h>
#include <hepar/train/model_folder.h>

#include <cmath>

#include "pipeline/small_cohort.h"
#include "train/shared_folder.h"
#include "train/small_training.h"

namespace hepar {
namespace {

test::SmallSequence noise(int n) {
  Grid grid;
  grid.size = {18 + n, 20, 22};
  return {"T1", grid,
          [n](OffsetVox at) {
            return 40 + static_cast<int>((at.z * 31 + at.y * 17 + at.x * 7 + n * 5) % 53);
          },
          [](OffsetVox at) { return at.z > 9 ? 1 : 0; }};
}

/// Which network, on which grid, and what it has kept out and learnt from.
struct SmallModel {
  std::uint64_t seed = 1;
  double z_spacing = 1;
  std::vector<int> held_out = {};
  std::array<int, 3> transpose{0, 1, 2};
  Lineage lineage = {};
  std::string orientation = "canonical";
};

class Choice : public ::testing::Test {
 protected:
  Choice() {
    if (world.is_root()) {
      std::vector<test::SmallCase> cases;
      for (int n = 0; n < 4; ++n) {
        cases.push_back({"case-" + std::to_string(n), "train", "A", {noise(n)}});
      }
      manifest = test::write_small_cohort(folder.path() / "cohort", cases);
      for (int fold = 0; fold < 2; ++fold) {
        const std::string name = "fold_" + std::to_string(fold);
        const std::vector<int> kept{2 * fold, 2 * fold + 1};
        const auto seed = static_cast<std::uint64_t>(fold);
        write_model("fine/" + name, {.seed = 1 + seed, .held_out = kept});
        write_model("coarse/" + name, {.seed = 11 + seed, .z_spacing = 1.5, .held_out = kept});
      }
    }
    world.barrier();
  }

  std::string path(const std::string& name) const { return (folder.path() / name).string(); }

  void write_model(const std::string& name, const SmallModel& small) const {
    Model model;
    model.plan = test::small_plan();
    model.plan.classes = {"background", "liver"};
    model.plan.spacing_mm.z = small.z_spacing;
    model.plan.transpose = small.transpose;
    model.mirror_axes = {1};
    model.lineage = small.lineage;
    model.orientation = small.orientation;
    for (const int n : small.held_out) {
      model.held_out.push_back({"", "case-" + std::to_string(n), {}});
    }
    model.network = make_unet(unet_options(model.plan), small.seed);
    fs::create_directories(fs::path(path(name)).parent_path());
    save_model(path(name), model);
  }

  PredictConfig predicting(const std::string& out) const {
    PredictConfig config;
    config.model = {path("fine/fold_0"), path("fine/fold_1")};
    config.in = path("cohort");
    config.out = path(out);
    config.compute.device = "cpu";
    config.threads = 1;
    return config;
  }
  PredictConfig out_of_fold(const std::string& out, bool second) const {
    PredictConfig config = predicting(out);
    config.held_out = true;
    if (second) {
      config.ensemble_with = {path("coarse/fold_0"), path("coarse/fold_1")};
    }
    return config;
  }
  ChooseConfig choosing(const std::string& ref) const {
    ChooseConfig config;
    config.configurations = {"coarse=" + path("coarse"),
                             "fine=" + path("fine/fold_0") + ":" + path("fine/fold_1")};
    config.in = path("cohort");
    config.ref = path(ref);
    config.out = path("choice");
    config.compute.device = "cpu";
    config.threads = 1;
    return config;
  }
  Json choice() const { return read_json(path("choice/choice.json")); }

  std::string hashes(const std::string& name) const {
    std::string text;
    for (int n = 0; n < 4; ++n) {
      text += to_hex(xxh64_of_file(path(name + "/case-" + std::to_string(n) + ".nii.gz"))) + " ";
    }
    return text;
  }

  Communicator world = Communicator::world();
  test::RankFolder folder{world};
  Manifest manifest;
};

template <class Work>
std::string complaint(Work&& work) {
  try {
    work();
  } catch (const Error& e) {
    EXPECT_EQ(static_cast<int>(e.code()), static_cast<int>(ExitCode::kUsage)) << e.what();
    return e.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Choice, TwoConfigurationsAreAveragedOnAnyRanks) {
  PredictConfig both = predicting("both");
  both.ensemble_with = {path("coarse/fold_0"), path("coarse/fold_1")};
  run_predict_command(both, false, world);
  run_predict_command(predicting("fine-masks"), false, world);
  PredictConfig coarse = predicting("coarse-masks");
  coarse.model = both.ensemble_with;
  run_predict_command(coarse, false, world);
  PredictConfig twice = predicting("twice");
  twice.ensemble_with = twice.model;
  run_predict_command(twice, false, world);
  world.barrier();

  EXPECT_NE(hashes("both"), hashes("fine-masks"));
  EXPECT_NE(hashes("both"), hashes("coarse-masks"));
  EXPECT_EQ(hashes("twice"), hashes("fine-masks"));  // the mean of one and itself
  EXPECT_EQ(read_prediction_lineage(path("both")).at(0).models.size(), 4U);
  if (world.is_root()) {
    Communicator self = Communicator::self();
    both.out = path("alone");
    run_predict_command(both, false, self);
    EXPECT_EQ(hashes("alone"), hashes("both"));
  }
  world.barrier();
}

TEST_F(Choice, LogitsAreKeptWhenAskedFor) {
  PredictConfig config = predicting("out");
  run_predict_command(config, false, world);
  world.barrier();
  EXPECT_FALSE(fs::exists(path("out/logits")));
  const std::string before = hashes("out");
  config.save_logits = true;

  run_predict_command(config, false, world);  // the masks are there, the logits are not
  world.barrier();

  EXPECT_EQ(hashes("out"), before);
  const NamedTensors kept = read_tensors(path("out/logits/case-2.safetensors"));
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].first, "logits");
  EXPECT_EQ(kept[0].second.sizes().vec(), (std::vector<std::int64_t>{2, 20, 20, 22}));
  const LabelImage mask = to_labels(read_nifti(path("out/case-2.nii.gz")), "mask");
  EXPECT_EQ(at::argmax(kept[0].second, 0).sum().item<std::int64_t>(),
            std::count(mask.voxels.begin(), mask.voxels.end(), 1));  // nothing is resampled here
}

TEST_F(Choice, ANativeModelSeesACohortsImagesAsTheirFilesHadThem) {
  const Reorientation turn{{2, 0, 1}, {true, false, true}};
  if (world.is_root()) {
    write_model("native", {.seed = 5, .orientation = "native"});
    SequenceRecord& first = manifest.cases.at(0).sequences.at(0);
    first.source_axis = turn.source_axis;
    first.flipped = turn.flipped;
    write_manifest(path("cohort"), manifest);
    const test::SmallSequence stored = noise(0);
    Image<float> image{stored.grid, {}};
    for (OffsetVox at; at.z < image.grid.size.z; ++at.z) {
      for (at.y = 0; at.y < image.grid.size.y; ++at.y) {
        for (at.x = 0; at.x < image.grid.size.x; ++at.x) {
          image.voxels.push_back(static_cast<float>(2 * stored.value(at) - 1));
        }
      }
    }
    fs::create_directories(path("files"));
    write_nifti(path("files/case-0.nii.gz"), from_float(reorient(image, inverse(turn))));
  }
  world.barrier();
  PredictConfig config = predicting("shards");
  config.model = {path("native")};
  run_predict_command(config, false, world);
  config.in = path("files");
  config.out = path("of-files");
  run_predict_command(config, false, world);
  world.barrier();

  const LabelImage shards = to_labels(read_nifti(path("shards/case-0.nii.gz")), "a");
  const LabelImage files = to_labels(read_nifti(path("of-files/case-0.nii.gz")), "b");
  EXPECT_EQ(shards.grid.size, (SizeVox{20, 22, 18}));
  EXPECT_EQ(shards.voxels, files.voxels);
}

TEST_F(Choice, TheHighestDiceOutOfFoldWins) {
  run_predict_command(out_of_fold("ref", false), false, world);  // so `fine` is perfect
  run_choose_command(choosing("ref"), false, world);
  world.barrier();

  const Json found = choice();
  EXPECT_EQ(found["chosen"], "fine");
  ASSERT_EQ(found["candidates"].size(), 3U);
  EXPECT_EQ(found["candidates"][1]["dice"]["mean"], 1.0);
  EXPECT_LT(found["candidates"][0]["dice"]["mean"].get<double>(), 0.999);
  EXPECT_LT(found["candidates"][2]["dice"]["mean"].get<double>(), 1.0);
  EXPECT_EQ(found["predict"], "hepar predict --model " + path("fine/fold_0") + "," +
                                  path("fine/fold_1") + " --postprocessing " +
                                  path("choice/postprocessing.json") + " --in IMAGES --out MASKS");
  EXPECT_EQ(read_json(path("choice/postprocessing.json"))["cases"], 4);
}

TEST_F(Choice, TwoTogetherWinWhenTheyAreBetter) {
  run_predict_command(out_of_fold("ref", true), false, world);
  run_choose_command(choosing("ref"), false, world);
  world.barrier();

  const Json found = choice();
  EXPECT_EQ(found["chosen"], "coarse+fine");
  EXPECT_TRUE(has(found["predict"], " --model " + path("coarse/fold_0") + "," +
                                        path("coarse/fold_1") + " --ensemble-with " +
                                        path("fine/fold_0")));
}

TEST_F(Choice, TiesGoToTheFirstAlone) {
  run_predict_command(out_of_fold("ref", false), false, world);
  ChooseConfig config = choosing("ref");
  config.configurations = {"b=" + path("fine"), "a=" + path("fine")};

  run_choose_command(config, false, world);
  world.barrier();

  EXPECT_EQ(choice()["chosen"], "b");
  EXPECT_EQ(choice()["candidates"][2]["dice"]["mean"], 1.0);  // b+a
}

TEST_F(Choice, ConfigurationsThatCannotBeAveragedCompeteAlone) {
  if (world.is_root()) {
    write_model("turned/fold_0", {.held_out = {0, 1, 2, 3}, .transpose = {2, 0, 1}});
  }
  run_predict_command(out_of_fold("ref", false), false, world);
  ChooseConfig config = choosing("ref");
  config.configurations = {"turned=" + path("turned"), "fine=" + path("fine")};

  run_choose_command(config, false, world);
  world.barrier();

  EXPECT_EQ(choice()["candidates"].size(), 2U);
  EXPECT_EQ(choice()["passed_over"][0]["reason"], "their axis orders differ");
  PredictConfig both = predicting("both");
  both.ensemble_with = {path("turned/fold_0")};
  EXPECT_TRUE(has(complaint([&] { run_predict_command(both, false, world); }),
                  "cannot be averaged with the first configuration: their axis orders differ"));
}

TEST_F(Choice, RefusesWhatIsNoCrossValidation) {
  if (world.is_root()) {
    write_model("all/fold_all", {});
    write_model("half/fold_0", {.held_out = {0, 1}});
    fs::create_directories(path("empty"));
    fs::create_directories(path("ref"));
  }
  world.barrier();
  ChooseConfig config = choosing("ref");
  const auto refused = [&](const std::vector<std::string>& configurations) {
    config.configurations = configurations;
    return complaint([&] { run_choose_command(config, false, world); });
  };
  EXPECT_TRUE(has(refused({}), "at least one"));
  EXPECT_TRUE(has(refused({path("fine")}), "wanted NAME=FOLDER"));
  EXPECT_TRUE(has(refused({"a/b=" + path("fine")}), "a name is also a folder's"));
  EXPECT_TRUE(has(refused({"a=" + path("fine"), "a=" + path("coarse")}), "two are named 'a'"));
  EXPECT_TRUE(has(refused({"a=" + path("empty")}), path("empty") + ": no model"));
  EXPECT_TRUE(has(refused({"a=" + path("all")}), path("all/fold_all") + " held out no case"));
  EXPECT_FALSE(fs::exists(path("choice/choice.json")));
  PredictConfig both = out_of_fold("both", false);
  both.ensemble_with = {path("half/fold_0")};
  EXPECT_TRUE(has(complaint([&] { run_predict_command(both, false, world); }),
                  "case case-2 is held out by one of the two configurations only"));
}

TEST_F(Choice, ACasePlantedInAnAncestorUnderAnotherNameIsRefused) {
  if (world.is_root()) {
    Lineage planted;  // the same voxels, elsewhere and under another name
    planted.add({"elsewhere", "renamed", {manifest.cases.at(2).sequences.at(0).image.hash}},
                CaseUse::kMask);
    write_model("planted", {.lineage = planted});
  }
  world.barrier();
  PredictConfig config = predicting("masks");
  config.model = {path("planted")};
  run_predict_command(config, false, world);
  run_predict_command(predicting("ref"), false, world);
  world.barrier();
  EvaluateConfig scoring;
  scoring.pred = path("masks");
  scoring.ref = path("ref");

  const std::string text = complaint([&] { evaluate_folders(scoring); });

  EXPECT_TRUE(has(text, "with their masks: case-2")) << text;
  EXPECT_FALSE(has(text, "case-1")) << text;
}

}  // namespace
}  // namespace hepar
