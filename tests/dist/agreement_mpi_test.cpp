#include <gmock/gmock.h>

#include "dist/gradients.h"
#include "hepar/core/error.h"
#include "hepar/dist/start_check.h"
#include "hepar/dist/step_flags.h"

namespace hepar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<at::Tensor> model(double nudge = 0) {
  torch::manual_seed(1);
  std::vector<at::Tensor> parameters{at::randn({2, 3, 2, 2, 2}), at::randn({4})};
  parameters[1][2] += nudge;
  return parameters;
}

RunIdentity identity(double nudge = 0) {
  RunIdentity found{
      .config_hash = "aa", .plan_hash = "bb", .data_hash = "cc", .code_version = "0.1.0+abc"};
  identify_model(model(nudge), found);
  return found;
}

TEST(StartCheck, PassesWhenAllRanksAreAlike) {
  Communicator world = Communicator::world();
  EXPECT_NO_THROW(check_same_start(world, identity()));
}

TEST(StartCheck, NamesTheRankAndEachFieldThatDiffers) {
  Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  RunIdentity mine = identity();
  if (world.rank() == world.size() - 1) {
    mine.config_hash = "a0";
    mine.threads = 17;
  }
  try {
    check_same_start(world, mine);
    FAIL() << "ranks with different configurations were accepted";
  } catch (const AgreedError& e) {
    EXPECT_EQ(e.code(), ExitCode::kCommunication);
    EXPECT_THAT(e.what(),
                AllOf(HasSubstr("rank " + std::to_string(world.size() - 1) + " on "),
                      HasSubstr("configuration: a0 (rank 0: aa); threads: 17 (rank 0: 1);"),
                      Not(HasSubstr("data:"))));
  }
}

TEST(StartCheck, FindsInitialWeightsThatDifferOnOneRank) {
  Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  const RunIdentity mine = identity(world.rank() == 1 ? 1e-6 : 0);
  EXPECT_THROW(check_same_start(world, mine), AgreedError);
}

TEST(IdentifyModel, SeesValuesAndShapesButNotLayout) {
  const auto parameters = model();
  RunIdentity plain;
  identify_model(parameters, plain);
  RunIdentity channels_last;
  identify_model({parameters[0].contiguous(at::MemoryFormat::ChannelsLast3d), parameters[1]},
                 channels_last);
  RunIdentity reshaped;
  identify_model({parameters[0].view({2, 3, 8}), parameters[1]}, reshaped);

  EXPECT_EQ(plain.parameter_count, 2);
  EXPECT_EQ(plain.threads, 1);
  EXPECT_EQ(channels_last.weights_hash, plain.weights_hash);
  EXPECT_EQ(reshaped.weights_hash, plain.weights_hash);
  EXPECT_NE(reshaped.shapes_hash, plain.shapes_hash);
  EXPECT_NE(identity(1e-6).weights_hash, plain.weights_hash);
}

TEST(StepFlags, TellOneStepLaterWhatAnyRankReported) {
  Communicator world = Communicator::world();
  const int last = world.size() - 1;
  StepFlags flags(world);
  EXPECT_FALSE(flags.wait().has_value());

  flags.start({.stop_requested = world.rank() == last, .collective_hash = 5, .compute_ms = 1.5});
  std::vector<double> other{1};
  world.all_reduce(other, ReduceOp::kSum);
  const StepSummary first = flags.wait().value();
  flags.start({.non_finite = world.rank() == 0,
               .save_failed = world.rank() == last,
               .collective_hash = 5,
               .compute_ms = world.rank() == last ? 250.125 : 20.0});
  const StepSummary second = flags.wait().value();

  EXPECT_TRUE(first.any_stop);
  EXPECT_FALSE(first.any_non_finite);
  EXPECT_FALSE(first.any_save_failed);
  EXPECT_TRUE(first.hash_ok);
  EXPECT_EQ(first.max_compute_ms, 1.5);
  EXPECT_FALSE(second.any_stop);
  EXPECT_TRUE(second.any_non_finite);
  EXPECT_TRUE(second.any_save_failed);
  EXPECT_EQ(second.slowest_rank, last);
  EXPECT_EQ(second.max_compute_ms, 250.125);
  EXPECT_FALSE(flags.wait().has_value());
}

TEST(StepFlags, SeeARankWhoseCollectivesWentAstray) {
  Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  StepFlags flags(world);
  flags.start({.collective_hash = ~std::uint64_t{0} - (world.rank() == 1 ? 2 : 0)});
  EXPECT_FALSE(flags.wait().value().hash_ok);
}

TEST(StepFlags, RefuseASecondReportBeforeTheFirstWasWaitedFor) {
  Communicator world = Communicator::world();
  StepFlags flags(world);
  flags.start({});
  EXPECT_THROW(flags.start({}), Error);
  EXPECT_TRUE(flags.wait().has_value());
}

}  // namespace
}  // namespace hepar
