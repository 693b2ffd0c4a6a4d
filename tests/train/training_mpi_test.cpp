#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <hepar/core/files.h>
#include <hepar/core/json.h>
#include <hepar/train/checkpoint.h>
#include <hepar/train/segmentation_trainer.h>

#include <sstream>

#include "support/temporary.h"
#include "train/small_training.h"

namespace hepar {
namespace {

/// One folder for all ranks, made and removed by rank 0.
class SharedFolder {
 public:
  explicit SharedFolder(Communicator& world) : world_(world) {
    if (world.is_root()) {
      own_ = std::make_unique<test::TemporaryFolder>();
      test::write_small_set(own_->path() / "set");
    }
    path_ = world.broadcast(own_ ? own_->path().string() : std::string(), 0);
  }
  ~SharedFolder() { world_.barrier(); }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  SharedFolder(SharedFolder&&) = delete;
  SharedFolder& operator=(SharedFolder&&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  Communicator& world_;
  std::unique_ptr<test::TemporaryFolder> own_;
  fs::path path_;
};

class Training : public ::testing::Test {
 protected:
  Communicator world = Communicator::world();
  SharedFolder folder{world};

  TrainConfig config(const std::string& out, std::int64_t steps) {
    return test::small_config(folder.path() / "set", folder.path() / out, steps);
  }
  /// The same training by this rank alone.
  std::string alone(const std::string& out, std::int64_t steps) {
    Communicator self = Communicator::self();
    return train_segmentation(config(out + std::to_string(world.rank()), steps), self).weights_hash;
  }
};

TEST_F(Training, TreeGivesTheWeightsOfOneRank) {
  const std::string wanted = alone("alone", 8);

  const TrainOutcome together = train_segmentation(config("together", 8), world);

  EXPECT_EQ(together.steps_done, 8);
  EXPECT_EQ(together.weights_hash, wanted);
}

TEST_F(Training, AnotherSeedGivesOtherWeights) {
  TrainConfig other = config("other", 3);
  other.seed = 1;

  EXPECT_NE(train_segmentation(other, world).weights_hash, alone("alone", 3));
}

TEST_F(Training, ContinuesFromACheckpointWithTheSameBits) {
  const std::string wanted = alone("straight", 8);
  train_segmentation(config("run", 8), world);
  if (world.is_root()) {  // as a kill after step 5 would leave it
    fs::remove_all(folder.path() / "run/checkpoints/step-0000008");
    fs::remove_all(folder.path() / "run/model");
  }
  world.barrier();

  const TrainOutcome resumed = train_segmentation(config("run", 8), world);

  EXPECT_EQ(resumed.weights_hash, wanted);
  if (world.is_root()) {
    const std::string metrics = read_text(folder.path() / "run/metrics.jsonl");
    EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 8);  // no step twice
    EXPECT_TRUE(fs::exists(folder.path() / "run/model/weights.safetensors"));
  }
}

TEST_F(Training, StoppedEarlyItGoesOnInAnotherFolderWithTheSameBits) {
  const std::string wanted = alone("straight", 8);
  TrainConfig first = config("first", 8), rest = config("rest", 8);
  first.train.stop_after = 3;
  rest.init.continue_from = first.out;

  const TrainOutcome stopped = train_segmentation(first, world);
  const TrainOutcome whole = train_segmentation(rest, world);

  EXPECT_EQ(stopped.code, ExitCode::kDone);
  EXPECT_EQ(stopped.steps_done, 3);
  EXPECT_EQ(whole.steps_done, 8);
  EXPECT_EQ(whole.weights_hash, wanted);
  if (world.is_root()) {
    EXPECT_TRUE(fs::exists(folder.path() / "first/model/weights.safetensors"));
    const std::string metrics = read_text(folder.path() / "rest/metrics.jsonl");
    EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 5);  // its own steps
  }
}

TEST_F(Training, RefusesToStopAfterTheEndOrBeforeWhereItIsOrToContinueNothing) {
  TrainConfig late = config("late", 2), nothing = config("nothing", 2), back = config("run", 2);
  late.train.stop_after = 3;
  nothing.init.continue_from = (folder.path() / "nobody").string();
  train_segmentation(back, world);
  back.train.stop_after = 1;

  EXPECT_THROW(train_segmentation(back, world), Error);
  EXPECT_THROW(train_segmentation(late, world), Error);
  EXPECT_THROW(train_segmentation(nothing, world), Error);
}

/// `key` of each line of the run's metrics.
std::vector<double> metrics_of(const std::string& run, const std::string& key) {
  std::vector<double> values;
  std::istringstream lines(read_text(fs::path(run) / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    values.push_back(Json::parse(line).at(key).get<double>());
  }
  return values;
}

class NarrowTraining : public Training, public testing::WithParamInterface<std::string> {};

TEST_P(NarrowTraining, FollowsFloat32AndContinuesWithTheSameBits) {
  TrainConfig wide = config("wide", 6), narrow = config("narrow", 6), parts = config("parts", 6);
  TrainConfig rest = config("rest", 6);
  for (TrainConfig* each : {&narrow, &parts, &rest}) {
    each->compute.precision = GetParam();
  }
  parts.train.stop_after = 3;
  rest.init.continue_from = parts.out;

  const std::string exact = train_segmentation(wide, world).weights_hash;
  const std::string whole = train_segmentation(narrow, world).weights_hash;
  train_segmentation(parts, world);

  EXPECT_NE(whole, exact);
  EXPECT_EQ(train_segmentation(rest, world).weights_hash, whole);
  world.barrier();
  const std::vector<double> wanted = metrics_of(wide.out, "loss");
  const std::vector<double> found = metrics_of(narrow.out, "loss");
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t step = 0; step < found.size(); ++step) {
    EXPECT_NEAR(found[step], wanted[step], 0.02) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, NarrowTraining, testing::Values("bf16", "fp16"));

TEST_F(Training, RefusesToContinueWithAnotherConfiguration) {
  train_segmentation(config("run", 2), world);
  TrainConfig changed = config("run", 2);
  changed.optimizer.lr = 0.5;

  EXPECT_THROW(train_segmentation(changed, world), Error);
}

// With a checkpoint after every step, the one that failed must not be among them.
TEST_F(Training, AStepThatIsNotFiniteIsNotKept) {
  TrainConfig wild = config("wild", 6);
  wild.optimizer.lr = 1e30;
  wild.train.checkpoint_every = 1;

  EXPECT_THROW(train_segmentation(wild, world), Error);
  world.barrier();  // rank 0 has written by then what it had begun to

  const std::optional<Checkpoint> found = CheckpointStore(folder.path() / "wild", 2).load_latest();
  ASSERT_TRUE(found.has_value());
  EXPECT_GE(found->step, 1);
  for (const auto& [name, value] : found->weights) {
    EXPECT_TRUE(at::isfinite(value).all().item<bool>()) << name << " at step " << found->step;
  }
}

// The write fails beside the training: whoever saves next hears of it, if no step did before.
TEST_F(Training, ACheckpointThatCannotBeWrittenEndsEveryRankSoon) {
  TrainConfig unwritable = config("unwritable", 100);
  unwritable.train.checkpoint_every = 3;
  if (world.is_root()) {
    fs::create_directory(unwritable.out);
    write_atomically(fs::path(unwritable.out) / "checkpoints", std::string("a file"));
  }
  world.barrier();

  try {
    train_segmentation(unwritable, world);
    FAIL() << "trained to the end";
  } catch (const AgreedError& e) {
    EXPECT_EQ(e.code(), ExitCode::kBadData);
    EXPECT_NE(
        std::string(e.what()).find(unwritable.out + "/checkpoints: the folder cannot be created"),
        std::string::npos)
        << e.what();
  }

  if (world.is_root()) {
    const std::string metrics = read_text(fs::path(unwritable.out) / "metrics.jsonl");
    EXPECT_LE(std::count(metrics.begin(), metrics.end(), '\n'), 6);
  }
}

TEST_F(Training, ADamagedCheckpointIsPassedOver) {
  train_segmentation(config("run", 6), world);
  if (world.is_root()) {
    const fs::path weights = folder.path() / "run/checkpoints/step-0000006/weights.safetensors";
    std::vector<std::byte> bytes = read_bytes(weights);
    bytes.back() ^= std::byte{1};
    write_atomically(weights, std::span<const std::byte>(bytes));
  }
  world.barrier();

  const std::optional<Checkpoint> found = CheckpointStore(folder.path() / "run", 2).load_latest();

  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->step, 5);
}

}  // namespace
}  // namespace hepar
