#include <gtest/gtest.h>
#include <hepar/core/files.h>
#include <hepar/core/parallel.h>
#include <hepar/pipeline/doctor_command.h>

#include "train/shared_folder.h"

namespace hepar {
namespace {

class Examination : public ::testing::Test {
 protected:
  DoctorConfig config() const {
    DoctorConfig made;
    made.folder = folder.path().string();
    return made;
  }

  Communicator world = Communicator::world();
  test::RankFolder folder{world};
};

TEST_F(Examination, MeasuresWhatRanksShare) {
  const DoctorFacts facts = examine(config(), false, world);

  ASSERT_EQ(static_cast<int>(facts.ranks.size()), world.size());
  for (const RankFacts& rank : facts.ranks) {
    EXPECT_EQ(rank.host, world.host());
    EXPECT_EQ(static_cast<int>(rank.processors.size()), usable_processors());
    EXPECT_EQ(rank.cores.size(), rank.processors.size());
    EXPECT_GE(rank.threads, 1);
    EXPECT_FALSE(rank.versions.at("hepar").empty());
    EXPECT_FALSE(rank.versions.at("MPI").empty());
  }
  EXPECT_EQ(facts.all_reduce.empty(), world.size() == 1);
  for (const AllReduceTime& time : facts.all_reduce) {
    EXPECT_GT(time.median_s, 0) << time.bytes;
    EXPECT_GE(time.repeats, 3) << time.bytes;
    EXPECT_TRUE(time.right) << time.bytes;
  }
  EXPECT_TRUE(facts.clocks.empty());  // one host
}

TEST_F(Examination, TriesTheFolderAndLeavesNothingInIt) {
  const DoctorFacts facts = examine(config(), false, world);

  ASSERT_TRUE(facts.folder.has_value());
  EXPECT_EQ(facts.folder->problem, "");
  EXPECT_TRUE(facts.folder->blind.empty());
  EXPECT_TRUE(facts.folder->unseen.empty());
  EXPECT_EQ(facts.folder->shared_creations, 0);
  EXPECT_EQ(facts.folder->shared_renames, 0);
  EXPECT_EQ(facts.folder->lock_error, "");
  EXPECT_TRUE(facts.folder->lock_excludes);
  EXPECT_GT(facts.folder->free_bytes, 0);
  world.barrier();
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST_F(Examination, WritesNothingInADryRun) {
  EXPECT_FALSE(examine(config(), true, world).folder.has_value());
}

TEST_F(Examination, NamesAFolderThatCannotBeUsed) {
  DoctorConfig given = config();
  for (const std::string& bad : {folder.path().string() + "/nothing", std::string("/proc")}) {
    given.folder = bad;

    const DoctorFacts facts = examine(given, false, world);

    EXPECT_EQ(facts.folder->problem.find(bad + ": "), 0U) << facts.folder->problem;
    EXPECT_EQ(judge(facts).back().point, "shared files");
    EXPECT_EQ(judge(facts).back().verdict, Verdict::kProblem);
    EXPECT_NE(exit_code(judge(facts)), ExitCode::kDone);
  }
}

}  // namespace
}  // namespace hepar
