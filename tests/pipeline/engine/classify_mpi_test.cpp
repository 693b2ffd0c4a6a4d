#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <hepar/comm/communicator.h>
#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/core/text.h>
#include <hepar/pipeline/classify_command.h>
#include <hepar/train/staging_trainer.h>

#include <algorithm>
#include <string>
#include <vector>

#include "train/shared_folder.h"
#include "train/small_vois.h"

namespace hepar::test {
namespace {

/// Sixteen patients with two volumes each, and a network for each of two folds.
class Classify : public testing::Test {
 protected:
  Classify() {
    if (world.is_root()) {
      write_small_vois(folder.path() / "set");
    }
    world.barrier();
    for (const char* fold : {"0", "1"}) {
      TrainConfig training =
          staging_config(folder.path() / "set", path("net" + std::string(fold)), 2);
      training.data.fold = fold;
      train_staging(training, world);
    }
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder.path() / name).string();
  }
  [[nodiscard]] ClassifyConfig config(const std::string& out) const {
    ClassifyConfig config;
    config.model = {path("net0"), path("net1")};
    config.in = path("set");
    config.out = path(out);
    config.compute.device = "cpu";
    config.held_out = true;
    return config;
  }
  std::string table(const ClassifyConfig& config, Communicator& ranks) const {
    run_classify_command(config, false, ranks);
    return read_text(fs::path(config.out) / "scores.csv");
  }
  static std::vector<std::string> lines(const std::string& table) {
    std::vector<std::string> found = split(table, '\n');
    found.pop_back();  // behind the last line
    return found;
  }

  Communicator world = Communicator::world();
  RankFolder folder{world};
};

TEST_F(Classify, EveryVolumeIsScoredByTheFoldThatHeldItOut) {
  const std::vector<std::string> found = lines(table(config("out"), world));

  ASSERT_EQ(found.size(), 33U);
  EXPECT_EQ(found[0],
            "case,sequence,stage,domain,split,seed,fold,q4,q1,p1,p2,p3,p4,call,fallback,cam_inside,"
            "mask_share");
  int of_fold_0 = 0;
  for (std::size_t i = 1; i < found.size(); ++i) {
    const std::vector<std::string> cells = split(found[i], ',');
    ASSERT_EQ(cells.size(), 17U);
    of_fold_0 += cells[6] == "0" ? 1 : 0;
    double sum = 0;
    for (std::size_t p = 9; p < 13; ++p) {
      sum += std::stod(cells[p]);
    }
    EXPECT_NEAR(sum, 1, 1e-6);
    EXPECT_EQ(cells[7], cells[12]);                               // q4 is P(S4)
    EXPECT_EQ(cells[14], cells[0] == "patient-105" ? "1" : "0");  // its masks are not its own
    EXPECT_GT(std::stod(cells[16]), 0);
  }
  EXPECT_EQ(of_fold_0, 16);
}

TEST_F(Classify, TheTableDoesNotDependOnTheNumberOfRanks) {
  const std::string together = table(config("together"), world);

  Communicator self = Communicator::self();
  EXPECT_EQ(table(config("alone-" + std::to_string(world.rank())), self), together);
}

TEST_F(Classify, ARankComputesOnOneThread) {
  at::set_num_threads(2);
  table(config("threads"), world);

  EXPECT_EQ(at::get_num_threads(), 1);
}

TEST_F(Classify, ACaseWhoseStageWasLearntIsRefused) {
  ClassifyConfig learnt = config("refused");
  learnt.held_out = false;
  try {
    run_classify_command(learnt, false, world);
    ADD_FAILURE() << "was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::kUsage);
    EXPECT_NE(std::string(e.what()).find("learnt the stage of 16 of these cases (patient-100"),
              std::string::npos)
        << e.what();
  }
  world.barrier();
  EXPECT_FALSE(fs::exists(path("refused")));
}

TEST_F(Classify, NoiseOutsideOfTheLiverIsTheSameEveryTime) {
  ClassifyConfig noise = config("noise");
  noise.outside = "noise";
  const std::string first = table(noise, world);
  noise.out = path("noise again");

  EXPECT_EQ(table(noise, world), first);
  EXPECT_NE(first, table(config("plain"), world));
}

}  // namespace
}  // namespace hepar::test
