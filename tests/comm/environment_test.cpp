#include "hepar/comm/environment.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <type_traits>

#include "hepar/comm/communicator.h"
#include "hepar/comm/main_guard.h"
#include "hepar/core/error.h"

namespace hepar {
namespace {

int announced(const std::map<std::string, std::string>& variables) {
  return announced_ranks([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(AnnouncedRanks, AreUnknownOutsideALauncher) { EXPECT_EQ(announced({}), 0); }

/// Without a launcher OpenMPI is told that there is no network.
TEST(Launcher, IsOneOfOpenMpiOrOneThatSpeaksPmi) {
  const auto found = [](const std::string& set) {
    return has_launcher([&](const char* name) { return name == set ? "1" : nullptr; });
  };
  EXPECT_TRUE(found("OMPI_COMM_WORLD_SIZE"));
  EXPECT_TRUE(found("PMIX_RANK"));
  EXPECT_FALSE(found("SLURM_STEP_NUM_TASKS"));
  EXPECT_FALSE(found(""));
}

TEST(AnnouncedRanks, ComeFromOpenMpiFirst) {
  EXPECT_EQ(
      announced({{"OMPI_COMM_WORLD_SIZE", "2"}, {"PMIX_RANK", "0"}, {"SLURM_STEP_NUM_TASKS", "8"}}),
      2);
}

TEST(AnnouncedRanks, ComeFromSlurmOnlyInAStepThatSpeaksPmi) {
  EXPECT_EQ(announced({{"SLURM_STEP_NUM_TASKS", "8"}}), 0);
  EXPECT_EQ(announced({{"SLURM_STEP_NUM_TASKS", "8"}, {"PMI_RANK", "3"}}), 8);
  EXPECT_EQ(announced({{"SLURM_STEP_NUM_TASKS", "8"}, {"PMIX_NAMESPACE", "x"}}), 8);
}

TEST(Self, WorksWithoutMpi) {
  Communicator self = Communicator::self();
  std::vector<double> values{1, 2};

  self.all_reduce(values, ReduceOp::kSum);
  self.barrier();

  EXPECT_EQ(self.size(), 1);
  EXPECT_EQ(self.rank(), 0);
  EXPECT_EQ(self.local_size(), 1);
  EXPECT_FALSE(self.host().empty());
  EXPECT_EQ(values, (std::vector<double>{1, 2}));
  EXPECT_EQ(self.broadcast("text", 0), "text");
  EXPECT_EQ(self.all_gather("a"), std::vector<std::string>{"a"});
  EXPECT_EQ(self.split(3).size(), 1);
}

TEST(Self, AgreesWithItself) {
  Communicator self = Communicator::self();

  self.agree("");
  try {
    self.agree("bad file", 3);
    FAIL() << "no error";
  } catch (const AgreedError& e) {
    EXPECT_STREQ(e.what(), "bad file");
    EXPECT_EQ(e.code(), ExitCode::kBadData);
  }
}

TEST(Self, RefusesMessagesToItself) {
  Communicator self = Communicator::self();
  std::vector<float> values{1};
  EXPECT_THROW(self.receive(values, 0, 0), CommError);
}

TEST(World, NeedsMpi) { EXPECT_THROW(Communicator::world(), CommError); }

TEST(RunGuarded, MapsErrorsToExitCodes) {
  EXPECT_EQ(run_guarded([] { return 75; }), 75);
  EXPECT_EQ(run_guarded([]() -> int { throw ConfigError("key"); }), 2);
  EXPECT_EQ(run_guarded([]() -> int { throw DataError("file"); }), 3);
  EXPECT_EQ(run_guarded([]() -> int { throw AgreedError("all", ExitCode::kCommunication); }), 4);
  EXPECT_EQ(run_guarded([]() -> int { throw std::runtime_error("other"); }), 1);
  EXPECT_EQ(run_guarded([]() -> int { throw 7; }), 1);
}

static_assert(std::is_nothrow_move_constructible_v<Communicator>);
static_assert(std::is_nothrow_move_assignable_v<Communicator>);
static_assert(!std::is_copy_constructible_v<Communicator>);
static_assert(std::is_nothrow_move_assignable_v<PendingReduction>);
static_assert(!std::is_move_constructible_v<MpiEnvironment>);

}  // namespace
}  // namespace hepar
