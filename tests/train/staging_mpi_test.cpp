#include <gtest/gtest.h>
#include <hepar/comm/communicator.h>
#include <hepar/core/files.h>
#include <hepar/core/json.h>
#include <hepar/train/staging_model.h>
#include <hepar/train/staging_trainer.h>

#include <sstream>

#include "train/shared_folder.h"
#include "train/small_vois.h"

namespace hepar::test {
namespace {

class StagingTraining : public testing::Test {
 protected:
  StagingTraining() {
    if (world.is_root()) {
      write_small_vois(folder.path() / "set");
    }
    world.barrier();
  }
  TrainConfig config(const std::string& run, std::int64_t steps) const {
    return staging_config(folder.path() / "set", folder.path() / run, steps);
  }

  Communicator world = Communicator::world();
  RankFolder folder{world};
};

TEST_F(StagingTraining, TreeGivesTheSameWeightsForAnyNumberOfRanks) {
  const std::string together = train_staging(config("run", 4), world).weights_hash;

  // Each rank alone, in a folder of its own.
  Communicator alone = Communicator::self();
  const std::string own =
      train_staging(config("alone-" + std::to_string(world.rank()), 4), alone).weights_hash;
  EXPECT_EQ(together, own);
}

/// As configs/quick/table2.yaml has it.
TrainConfig with_texture(TrainConfig config) {
  config.backbone.start = "texture";
  config.volume = {.intensity = "liver", .liver_channel = true};
  config.optimizer.backbone_lr = 0.1;
  return config;
}

TEST_F(StagingTraining, TheTextureStartIsTheSameForAnyNumberOfRanks) {
  const std::string together = train_staging(with_texture(config("run", 4)), world).weights_hash;

  Communicator alone = Communicator::self();
  const TrainConfig own = with_texture(config("alone-" + std::to_string(world.rank()), 4));
  EXPECT_EQ(train_staging(own, alone).weights_hash, together);
  const StagingModel model = load_staging_model(fs::path(own.out) / "model");
  EXPECT_TRUE(model.options.volume.liver_channel);
  const auto buffers = model.network->named_buffers();
  EXPECT_GT(buffers["backbone.feature_shift"].abs().max().item<double>(), 0) << "measured";
  EXPECT_GT(buffers["backbone.feature_map"].diagonal().min().item<double>(), 0);
}

TEST_F(StagingTraining, AStoppedRunContinuesToTheSameWeights) {
  const std::string whole = train_staging(with_texture(config("whole", 6)), world).weights_hash;
  TrainConfig begun = with_texture(config("parts", 6));
  begun.train.checkpoint_every = 3;
  const std::string first = train_staging(begun, world).weights_hash;
  world.barrier();
  if (world.is_root()) {  // as if it had died after step 3
    fs::remove_all(folder.path() / "parts" / "checkpoints" / "step-0000006");
    write_atomically(folder.path() / "parts" / "checkpoints" / "latest",
                     std::string("step-0000003"));
  }
  world.barrier();
  EXPECT_EQ(first, whole);
  EXPECT_EQ(train_staging(begun, world).weights_hash, whole);
}

class EarlyStoppingOf : public StagingTraining {
 protected:
  TrainConfig stopping(const std::string& run, std::int64_t steps) const {
    TrainConfig config = this->config(run, steps);
    config.train.validate_every = 2;
    config.train.early_stopping = 100;
    config.train.inner_share = 0.25;
    return config;
  }
  /// The last "best_step" that the run wrote down.
  [[nodiscard]] std::int64_t best_step(const std::string& run) const {
    std::int64_t best = 0;
    std::istringstream lines(read_text(folder.path() / run / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      best = Json::parse(line).value("best_step", best);
    }
    return best;
  }
};

TEST_F(EarlyStoppingOf, EndsAfterAsManyValidationsWithoutALowerLoss) {
  TrainConfig still = stopping("still", 40);
  still.optimizer.lr = 0;  // no loss is ever lower than the first
  still.train.early_stopping = 3;
  const TrainOutcome outcome = train_staging(still, world);
  world.barrier();

  EXPECT_EQ(outcome.code, ExitCode::kDone);
  EXPECT_EQ(outcome.steps_done, 2 + 3 * 2);
  EXPECT_EQ(best_step("still"), 2);
  EXPECT_EQ(train_staging(still, world).steps_done, 2 + 3 * 2) << "run again, nothing is redone";
}

TEST_F(EarlyStoppingOf, TheWeightsAreThoseOfTheLowestLoss) {
  TrainConfig restless = stopping("long", 12);
  restless.optimizer.lr = 0.05;  // so that the last step is not the best
  const std::string kept = train_staging(restless, world).weights_hash;
  world.barrier();
  const std::int64_t best = best_step("long");
  ASSERT_LT(best, 12);
  TrainConfig shorter = stopping("short", best);
  shorter.optimizer.lr = 0.05;

  EXPECT_EQ(train_staging(shorter, world).weights_hash, kept);
}

TEST_F(EarlyStoppingOf, NeitherRanksNorAnInterruptionChangeIt) {
  TrainConfig begun = stopping("parts", 12);
  begun.optimizer.lr = 0.05;
  begun.train.checkpoint_every = 2;
  const std::string whole = train_staging(begun, world).weights_hash;
  world.barrier();
  ASSERT_LT(best_step("parts"), 12);
  if (world.is_root()) {  // as if it had died after step 10, with the best weights behind it
    fs::remove_all(folder.path() / "parts" / "checkpoints" / "step-0000012");
  }
  world.barrier();
  EXPECT_EQ(train_staging(begun, world).weights_hash, whole);

  Communicator alone = Communicator::self();
  TrainConfig own = stopping("alone-" + std::to_string(world.rank()), 12);
  own.optimizer.lr = 0.05;
  EXPECT_EQ(train_staging(own, alone).weights_hash, whole);
}

TEST_F(EarlyStoppingOf, WantsValidations) {
  TrainConfig without = stopping("without", 4);
  without.train.validate_every = 0;
  try {
    train_staging(without, world);
    FAIL() << "trained";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(e.what()).find("wanted train.validate_every above 0"), std::string::npos);
  }
}

/// Mean of a metric over the first and over the last quarter of the steps.
struct Course {
  double first = 0, last = 0;
};
Course course_of(const fs::path& metrics, const std::string& key) {
  std::vector<double> values;
  std::istringstream lines(read_text(metrics));
  for (std::string line; std::getline(lines, line);) {
    values.push_back(Json::parse(line).at(key));
  }
  const std::size_t n = values.size() / 4;
  Course course;
  for (std::size_t i = 0; i < n; ++i) {
    course.first += values[i] / static_cast<double>(n);
    course.last += values[values.size() - 1 - i] / static_cast<double>(n);
  }
  return course;
}

TEST_F(StagingTraining, LearnsAndWritesAModelThatLoads) {
  TrainConfig learning = config("learns", 100);
  learning.backbone.width = 8;
  learning.csl.weight = 1;
  learning.augmentation.enabled = false;
  train_staging(learning, world);

  if (world.is_root()) {
    const fs::path metrics = folder.path() / "learns" / "metrics.jsonl";
    const Course head = course_of(metrics, "head_loss");
    const Course activation = course_of(metrics, "activation_loss");
    EXPECT_LT(head.last, 0.9 * head.first);
    EXPECT_LT(activation.last, 0.9 * activation.first);

    const StagingModel model = load_staging_model(folder.path() / "learns" / "model");
    EXPECT_EQ(model.options.head.name, "ce");
    EXPECT_EQ(model.fold, "0");
    EXPECT_EQ(model.held_out.size(), 16U);  // volumes of 8 patients
    EXPECT_DOUBLE_EQ(model.options.stage_prior[3], 0.25);
    for (const CaseIdentity& item : model.held_out) {
      EXPECT_FALSE(model.lineage.uses(item, CaseUse::kStage)) << item.case_id;
    }
  }
}

TEST_F(StagingTraining, StagesOfHeldOutPatientsChangeNothing) {
  const std::string before = train_staging(config("before", 3), world).weights_hash;
  const StagingModel model = load_staging_model(folder.path() / "before" / "model");
  SmallVois swapped;
  std::vector<std::size_t> held;
  for (std::size_t p = 0; p < swapped.stages.size(); ++p) {
    for (const CaseIdentity& item : model.held_out) {
      if (item.case_id == "patient-" + std::to_string(100 + p)) {
        held.push_back(p);
        break;
      }
    }
  }
  ASSERT_EQ(held.size(), 8U);
  // The folds are kept by a file, as another distribution of stages would deal others.
  TrainConfig with_file = config("file-before", 3);
  with_file.data.splits_file = (folder.path() / "splits_final.json").string();
  const std::string first = train_staging(with_file, world).weights_hash;
  EXPECT_EQ(first, before);
  for (const std::size_t p : held) {
    swapped.stages[p] = 5 - swapped.stages[p];
  }
  if (world.is_root()) {
    fs::remove_all(folder.path() / "set");
    write_small_vois(folder.path() / "set", swapped);
  }
  world.barrier();
  with_file.out = (folder.path() / "file-after").string();
  EXPECT_EQ(train_staging(with_file, world).weights_hash, before);
}

}  // namespace
}  // namespace hepar::test
