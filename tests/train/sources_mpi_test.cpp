// Several prepared sets in one training, and weights of another one to start from.
#include <gtest/gtest.h>
#include <hepar/core/files.h>
#include <hepar/core/json.h>
#include <hepar/io/lineage.h>
#include <hepar/train/model_folder.h>
#include <hepar/train/segmentation_trainer.h>
#include <hepar/train/transfer.h>

#include "train/shared_folder.h"
#include "train/small_training.h"

namespace hepar {
namespace {

class Sources : public ::testing::Test {
 protected:
  Sources() {
    if (world.is_root()) {
      test::write_small_set(folder.path() / "target");
      test::write_small_set(folder.path() / "other", {.first = 4, .cohort = "1111111111111111"});
    }
    world.barrier();
  }
  TrainConfig config(const std::string& out, std::int64_t steps = 4) const {
    TrainConfig config = test::small_config(folder.path() / "target", folder.path() / out, steps);
    config.data.path = {path("target"), path("other")};
    return config;
  }
  std::string path(const std::string& name) const { return (folder.path() / name).string(); }
  std::string alone(TrainConfig config) {
    Communicator self = Communicator::self();
    config.out += "-" + std::to_string(world.rank());
    return train_segmentation(config, self).weights_hash;
  }
  /// What a training says; empty when it trains.
  std::string complaint(const TrainConfig& config, ExitCode code = ExitCode::kUsage) {
    try {
      train_segmentation(config, world);
      return "";
    } catch (const Error& e) {
      EXPECT_EQ(static_cast<int>(e.code()), static_cast<int>(code));
      return e.what();
    }
  }

  Communicator world = Communicator::world();
  test::RankFolder folder{world};
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Sources, TrainToTheWeightsOfOneRank) {
  const TrainConfig both = config("both");
  const std::string wanted = alone(both);

  EXPECT_EQ(train_segmentation(both, world).weights_hash, wanted);
  EXPECT_NE(alone(test::small_config(path("target"), path("one"), 4)), wanted);
  TrainConfig weighted = config("weighted");
  weighted.data.weights = {1, 0};
  const std::string first_only = alone(weighted);
  EXPECT_NE(first_only, wanted);
  EXPECT_EQ(train_segmentation(weighted, world).weights_hash, first_only);
}

TEST_F(Sources, LeaveTheirLineage) {
  TrainConfig run = config("run", 1);
  run.data.fold = "0";
  run.data.folds = 4;

  train_segmentation(run, world);

  const Model model = load_model(folder.path() / "run/model");
  EXPECT_EQ(model.held_out.size(), 2U);  // 8 patients in 4 folds
  EXPECT_EQ(model.lineage.count(CaseUse::kMask), 6U);
  for (const CaseIdentity& item : model.held_out) {
    EXPECT_FALSE(model.lineage.uses(item, CaseUse::kMask));
  }
  EXPECT_NE(model.held_out[0].cohort, model.held_out[1].cohort);  // one of each set
}

TEST_F(Sources, OfAnotherPlanAreRefusedByName) {
  if (world.is_root()) {
    test::SmallSet set{.first = 8};
    set.plan.spacing_mm = {1, 1, 2};
    test::write_small_set(folder.path() / "plan", set);
    set = {.first = 12};
    set.plan.classes = {"background", "cube"};
    test::write_small_set(folder.path() / "classes", set);
    test::write_small_set(folder.path() / "same", {.first = 3, .cohort = "2222222222222222"});
  }
  world.barrier();
  TrainConfig wrong = config("wrong");
  wrong.data.path = {path("target"), path("plan"), path("classes")};

  const std::string text = complaint(wrong);

  EXPECT_TRUE(has(text, path("plan") + ": plan: wanted ")) << text;
  EXPECT_TRUE(has(text, path("classes") + ": classes: wanted background=0, ball=1")) << text;
  EXPECT_TRUE(has(text, "prepare it with the target's plan")) << text;
  EXPECT_FALSE(fs::exists(wrong.out));
  wrong.data.path = {path("target"), path("same")};
  const std::string twice = complaint(wrong);
  EXPECT_TRUE(has(twice, "two sets claim one case")) << twice;
  EXPECT_TRUE(has(twice, "case-3")) << twice;
  wrong.data.path = {path("target"), path("other")};
  wrong.data.weights = {1, 2, 3};
  EXPECT_TRUE(has(complaint(wrong), "data.weights: wanted 2 weights"));
}

TEST_F(Sources, ContinueOnlyWithTheSameSets) {
  train_segmentation(config("run", 2), world);

  EXPECT_TRUE(has(complaint(test::small_config(path("target"), path("run"), 2)), "data_hash"));
}

TEST_F(Sources, KindsOfLabelAreChosen) {
  if (world.is_root()) {
    test::write_small_set(folder.path() / "pseudo",
                          {.first = 8, .cohort = "2222222222222222", .label = "pseudo"});
  }
  world.barrier();
  TrainConfig run = config("run", 1);
  run.data.path = {path("target"), path("pseudo")};
  train_segmentation(run, world);

  const Lineage all = load_model(folder.path() / "run/model").lineage;
  EXPECT_EQ(all.count(CaseUse::kImage), 8U);
  EXPECT_EQ(all.count(CaseUse::kMask), 4U);  // a pseudo-label is nobody's manual mask
  run.out = path("pseudo-only");
  run.data.path = path("pseudo");
  run.data.label = {"manual"};
  EXPECT_TRUE(has(complaint(run), "no labelled case"));
}

TEST_F(Sources, SplitsAreWrittenAndRead) {
  TrainConfig run = config("run", 1);
  run.data.fold = "1";
  run.data.folds = 4;
  run.data.splits_file = path("splits_final.json");
  train_segmentation(run, world);
  const auto first = load_model(folder.path() / "run/model").held_out;
  Json splits = read_json(run.data.splits_file);
  ASSERT_EQ(splits.size(), 4U);
  EXPECT_EQ(splits[1]["val"].size(), 2U);
  EXPECT_EQ(splits[1]["train"].size(), 6U);

  run.out = path("read");
  train_segmentation(run, world);
  const auto again = load_model(folder.path() / "read/model").held_out;
  ASSERT_EQ(again.size(), first.size());
  for (std::size_t i = 0; i < again.size(); ++i) {
    EXPECT_EQ(again[i].case_id, first[i].case_id);
  }
  world.barrier();
  if (world.is_root()) {
    splits[1]["val"].push_back("nobody");
    write_json(run.data.splits_file, splits);
  }
  world.barrier();
  run.out = path("wrong");
  EXPECT_TRUE(has(complaint(run), "'nobody' is in no set"));
}

TEST_F(Sources, RegionsHaveHeadsOfTheirOwn) {
  TrainConfig run = config("regions", 3);
  run.data.regions = {"ball"};
  run.train.validate_every = 3;
  run.train.validation_patches = 4;
  const std::string wanted = alone(run);

  EXPECT_EQ(train_segmentation(run, world).weights_hash, wanted);

  const Model model = load_model(folder.path() / "regions/model");
  EXPECT_EQ(model.regions, std::vector<std::string>{"ball"});
  const at::Tensor logits = model.network->forward(at::zeros({1, 1, 16, 16, 16})).front();
  EXPECT_EQ(logits.size(1), 1);
  TrainConfig student = config("student", 1);
  student.init.from = run.out;
  student.init.heads = "keep";
  train_segmentation(student, world);
  world.barrier();
  const Json report = read_json(folder.path() / "student/transfer.json");
  EXPECT_TRUE(has(report["layers"].dump(), "regions differ"));
  run.data.regions = {"cube"};
  run.out = path("wrong");
  EXPECT_TRUE(has(complaint(run), "found 'cube'"));
}

class Transfer : public Sources {
 protected:
  Transfer() {
    Communicator self = Communicator::self();
    if (world.is_root()) {
      train_segmentation(test::small_config(path("target"), path("teacher"), 2), self);
    }
    world.barrier();
  }
  TrainConfig student(const std::string& out, std::int64_t steps = 4) const {
    TrainConfig config = test::small_config(path("other"), path(out), steps);
    config.init.from = path("teacher");
    config.seed = 5;
    return config;
  }
};

TEST_F(Transfer, GivesTheSameBitsOnAnyRanksAndIsReported) {
  const std::string wanted = alone(student("alone"));

  EXPECT_EQ(train_segmentation(student("run"), world).weights_hash, wanted);

  TrainConfig fresh = student("fresh");
  fresh.init.from = "";
  EXPECT_NE(alone(fresh), wanted);
  TrainConfig kept = student("kept");
  kept.init.heads = "keep";
  EXPECT_NE(alone(kept), wanted);
  const Json report = read_json(folder.path() / "run/transfer.json");
  std::map<std::string, int> actions;
  for (const Json& layer : report["layers"]) {
    ++actions[layer["action"].get<std::string>()];
    const bool head = has(layer["name"], ".seg_layers.");
    EXPECT_EQ(layer["action"], head ? "reset" : "copied") << layer["name"];
  }
  EXPECT_EQ(actions["reset"], 4);  // weight and bias of two levels
  const Lineage lineage = load_model(folder.path() / "run/model").lineage;
  EXPECT_EQ(lineage.count(CaseUse::kMask), 8U);  // its own four and its teacher's
}

TEST_F(Transfer, IsNotAppliedAgainOnResume) {
  const std::string wanted = alone(student("straight", 8));
  train_segmentation(student("run", 8), world);
  world.barrier();
  if (world.is_root()) {
    fs::remove_all(folder.path() / "run/checkpoints/step-0000008");
    fs::remove_all(folder.path() / "run/model");
    fs::rename(folder.path() / "teacher", folder.path() / "gone");
  }
  world.barrier();

  EXPECT_EQ(train_segmentation(student("run", 8), world).weights_hash, wanted);

  const Lineage lineage = load_model(folder.path() / "run/model").lineage;
  EXPECT_EQ(lineage.count(CaseUse::kMask), 8U);
  TrainConfig without = student("run", 8);
  without.init.from = "";
  EXPECT_TRUE(has(complaint(without), "init.from"));
}

TEST_F(Transfer, InflatesInputChannelsAndResetsOtherClasses) {
  Plan plan = test::small_plan();
  plan.channels = {"T1", "T2", "DWI"};
  plan.normalization.resize(3);
  plan.classes = {"background", "ball", "cube"};
  const auto network = make_unet(unet_options(plan), 9);
  const auto untouched = make_unet(unet_options(plan), 9);
  NamedTensors parameters;
  for (const auto& item : network->named_parameters()) {
    parameters.emplace_back(item.key(), item.value());
  }
  const std::vector<std::string> no_regions;
  InitConfig init;
  init.from = path("teacher");
  init.heads = "keep";

  const TransferReport report = transfer_weights(init, {plan, no_regions}, parameters);

  EXPECT_EQ(report.count("inflated"), 1U);
  EXPECT_EQ(report.count("reset"), 4U);
  EXPECT_EQ(report.count("new"), 0U);
  EXPECT_TRUE(report.unused.empty());
  const Model teacher = load_model(folder.path() / "teacher/model");
  const auto source = teacher.network->named_parameters();
  const auto before = untouched->named_parameters();
  for (const TransferredLayer& layer : report.layers) {
    const at::Tensor now = *network->named_parameters().find(layer.name);
    if (layer.action == "copied") {
      EXPECT_TRUE(at::equal(now, *source.find(layer.name))) << layer.name;
    } else if (layer.action == "reset") {
      EXPECT_TRUE(has(layer.reason, "classes differ")) << layer.reason;
      EXPECT_TRUE(at::equal(now, *before.find(layer.name))) << layer.name;
    } else {
      EXPECT_TRUE(at::allclose(now.sum(1), source.find(layer.name)->sum(1))) << layer.name;
      EXPECT_TRUE(at::equal(now.select(1, 0), now.select(1, 2)));
    }
  }
  plan.features = {5, 9, 9};
  const auto other = make_unet(unet_options(plan), 9);
  NamedTensors nothing;
  for (const auto& item : other->named_parameters()) {
    nothing.emplace_back(item.key(), item.value());
  }
  EXPECT_THROW(transfer_weights(init, {plan, no_regions}, nothing), ConfigError);
}

}  // namespace
}  // namespace hepar
