#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/pipeline/all_reduce_model.h>
#include <hepar/pipeline/packing.h>
#include <hepar/pipeline/step_cost.h>

#include "support/temporary.h"

namespace hepar::test {
namespace {

constexpr double kMiB = 1 << 20;

TEST(AllReduceModel, RingAndTreeHaveTheirClosedForms) {
  const Link link{.latency_s = 1e-3, .bytes_per_s = 100};

  EXPECT_DOUBLE_EQ(ring_s(link, 2, 400), 2e-3 + 4);        // 2 latencies, 2 · 1/2 of the bytes
  EXPECT_DOUBLE_EQ(ring_s(link, 4, 400), 6e-3 + 6);        // 6 latencies, 2 · 3/4 of the bytes
  EXPECT_DOUBLE_EQ(tree_s(link, 2, 400), 2e-3 + 8);        // there and back
  EXPECT_DOUBLE_EQ(tree_s(link, 8, 400), 6 * (1e-3 + 4));  // 3 rounds each way
}

TEST(AllReduceModel, OneRankReducesNothing) {
  EXPECT_EQ(assumed_network(false).seconds({.bytes = kMiB, .ranks = 1}), 0);
}

TEST(AllReduceModel, LinksBetweenHostsSetThePaceOfAllRanks) {
  const NetworkModel network{.within = {.bytes_per_s = 100}, .between = {.bytes_per_s = 10}};

  EXPECT_DOUBLE_EQ(network.seconds({.bytes = 40, .ranks = 4, .hosts = 1, .kind = "fast"}), 0.6);
  EXPECT_DOUBLE_EQ(network.seconds({.bytes = 40, .ranks = 4, .hosts = 2, .kind = "fast"}), 6.0);
  EXPECT_DOUBLE_EQ(network.seconds({.bytes = 40, .ranks = 4, .hosts = 2, .kind = "tree"}), 16.0);
}

std::vector<AllReduceTime> times(const Link& link, int ranks) {
  std::vector<AllReduceTime> all;
  for (const std::int64_t bytes : {1 << 10, 32 << 10, 1 << 20, 16 << 20}) {
    all.push_back({.bytes = bytes, .median_s = ring_s(link, ranks, static_cast<double>(bytes))});
  }
  return all;
}

TEST(AllReduceModel, FitFindsTheLinkThatMadeTheTimes) {
  const Link made{.latency_s = 35e-6, .bytes_per_s = 1.2e9};

  const Link found = fit_link(times(made, 3), 3, "doctor.json");

  EXPECT_NEAR(found.latency_s, made.latency_s, 1e-12);
  EXPECT_NEAR(found.bytes_per_s, made.bytes_per_s, 1);
  EXPECT_FALSE(found.assumed());
}

TEST(AllReduceModel, FittedLatencyIsNeverNegative) {
  const Link found =
      fit_link({{.bytes = 100, .median_s = 0.5}, {.bytes = 200, .median_s = 2}}, 2, "doctor.json");

  EXPECT_EQ(found.latency_s, 0);
  EXPECT_NEAR(1 / found.bytes_per_s, (100 / 0.5 + 200 / 2.0) / (200.0 * 200 + 100 * 100), 1e-12);
}

TEST(AllReduceModel, FitRefusesWhatSaysNothing) {
  const Link link{.latency_s = 1e-3, .bytes_per_s = 100};

  EXPECT_THROW(fit_link(times(link, 2), 1, "one rank"), DataError);
  EXPECT_THROW(fit_link({{.bytes = 8, .median_s = 1}}, 2, "one size"), DataError);
  EXPECT_THROW(fit_link({{.bytes = 8, .median_s = 1}, {.bytes = 16, .median_s = 0}}, 2, "no time"),
               DataError);
  EXPECT_THROW(
      fit_link({{.bytes = 100, .median_s = 2}, {.bytes = 1000, .median_s = 1}}, 2, "falling"),
      DataError);
}

std::string doctor_json(const std::vector<std::string>& hosts, const Link& link) {
  Json document{{"ranks", Json::array()}, {"all_reduce", Json::array()}};
  for (const std::string& host : hosts) {
    document["ranks"].push_back({{"host", host}});
  }
  for (const AllReduceTime& time : times(link, static_cast<int>(hosts.size()))) {
    document["all_reduce"].push_back({{"bytes", time.bytes}, {"median_s", time.median_s}});
  }
  return document.dump();
}

TEST(AllReduceModel, DoctorOfSeveralHostsSaysWhatHoldsBetweenThem) {
  const TemporaryFolder folder;
  const std::string one = folder.path() / "one.json", two = folder.path() / "two.json";
  write_atomically(one, doctor_json({"a", "a"}, {.latency_s = 1e-5, .bytes_per_s = 3e9}));
  write_atomically(two, doctor_json({"a", "a", "b", "b"}, {.latency_s = 4e-5, .bytes_per_s = 1e8}));

  const NetworkModel network = read_network({two, one}, assumed_network(false));

  EXPECT_NEAR(network.within.bytes_per_s, 3e9, 10);
  EXPECT_NEAR(network.between.bytes_per_s, 1e8, 10);
  EXPECT_EQ(network.between.source, two);
  EXPECT_TRUE(read_network({one}, assumed_network(false)).between.assumed());
}

TEST(StepCost, WallIsSplitIntoStepsAndTheRest) {
  const TrainingCost cost = split_wall(12, 0.1, {.steps = 100});

  EXPECT_DOUBLE_EQ(cost.step_s, 0.1);
  EXPECT_DOUBLE_EQ(cost.start_s, 2);
  EXPECT_FALSE(cost.cut);
}

TEST(StepCost, WithoutLoggedStepsAllIsSteps) {
  const TrainingCost cost = split_wall(12, 0, {.steps = 100});

  EXPECT_DOUBLE_EQ(cost.step_s, 0.12);
  EXPECT_DOUBLE_EQ(cost.start_s, 0);
}

TEST(StepCost, LoggedStepsAreASampleAndDoNotExceedTheWall) {
  const TrainingCost cost = split_wall(12, 0.13, {.steps = 100});

  EXPECT_DOUBLE_EQ(cost.step_s, 0.12);
  EXPECT_DOUBLE_EQ(cost.start_s, 0);
  EXPECT_FALSE(cost.cut);
}

TEST(StepCost, ALastPartThatIsShorterThanItsStepsWasInterrupted) {
  const TrainingCost cost = split_wall(4, 0.1, {.steps = 100});

  EXPECT_TRUE(cost.cut);
  EXPECT_DOUBLE_EQ(cost.step_s, 0.1);
  EXPECT_DOUBLE_EQ(cost.start_s, 0);
}

TEST(StepCost, TheLargestShareIsRoundedUp) {
  EXPECT_EQ(largest_share(8, 2), 4);
  EXPECT_EQ(largest_share(8, 3), 3);
  EXPECT_EQ(largest_share(3, 3), 1);
}

/// Two samples a rank at 1 s each, and 4 s of reducing 100 bytes on 2 ranks.
TrainingCost seen() {
  return {.layout = {.steps = 10, .global_batch = 4, .ranks = 2, .reduction = "fast"},
          .gradient_bytes = 100,
          .start_s = 7,
          .step_s = 6};
}
const NetworkModel kSlow{.within = {.latency_s = 0, .bytes_per_s = 25},
                         .between = {.latency_s = 0, .bytes_per_s = 5}};

TEST(StepCost, ASampleCostsAStepWithoutItsReduction) {
  EXPECT_DOUBLE_EQ(sample_s(seen(), kSlow), 1);
}

TEST(StepCost, TheSameLayoutTakesTheSameTime) {
  EXPECT_DOUBLE_EQ(training_s(seen(), kSlow, seen().layout, kSlow, 1), 7 + 10 * 6);
}

TEST(StepCost, OtherRanksStepsAndHostsFollowTheModel) {
  const TrainingLayout one{.steps = 20, .global_batch = 4, .ranks = 1, .reduction = "fast"};
  const TrainingLayout four{
      .steps = 20, .global_batch = 4, .ranks = 4, .hosts = 2, .reduction = "fast"};

  EXPECT_DOUBLE_EQ(training_s(seen(), kSlow, one, kSlow, 1), 7 + 20 * 4);
  EXPECT_DOUBLE_EQ(training_s(seen(), kSlow, four, kSlow, 1), 7 + 20 * (1 + 2 * 0.75 * 100 / 5));
}

TEST(StepCost, ADeviceSpeedsUpComputingAlone) {
  EXPECT_DOUBLE_EQ(training_s(seen(), kSlow, seen().layout, kSlow, 4), 7 + 10 * (0.5 + 4));
}

TEST(StepCost, MoreRanksThanSamplesAreRefused) {
  TrainingLayout wanted = seen().layout;
  wanted.ranks = 5;

  EXPECT_THROW(training_s(seen(), kSlow, wanted, kSlow, 1), ConfigError);
}

TEST(Packing, OnePlaceTakesTheSumAndManyTheLongestChain) {
  const std::vector<PackedJob> jobs{{.seconds = 3},
                                    {.seconds = 2, .after = {0}},
                                    {.seconds = 4},
                                    {.seconds = 1, .after = {1, 2}}};

  EXPECT_DOUBLE_EQ(pack(jobs, 1).makespan_s, 10);
  EXPECT_DOUBLE_EQ(pack(jobs, 9).makespan_s, 6);
  EXPECT_DOUBLE_EQ(pack(jobs, 9).longest_chain_s, 6);
  EXPECT_DOUBLE_EQ(pack(jobs, 9).busy_s, 10);
}

TEST(Packing, LongestFirstOnTwoPlaces) {
  // 5 and 4 first, then the first 3 from 4 on, the other from 5 on.
  const std::vector<PackedJob> jobs{{.seconds = 3}, {.seconds = 3}, {.seconds = 4}, {.seconds = 5}};

  const Packing packing = pack(jobs, 2);

  EXPECT_DOUBLE_EQ(packing.makespan_s, 8);
  EXPECT_EQ(packing.starts, (std::vector<double>{4, 5, 0, 0}));
}

TEST(Packing, AShortJobWithALongWayGoesFirst) {
  const std::vector<PackedJob> jobs{{.seconds = 5}, {.seconds = 1}, {.seconds = 6, .after = {1}}};

  EXPECT_EQ(pack(jobs, 1).starts, (std::vector<double>{7, 0, 1}));
}

TEST(Packing, AWideJobWaitsWhileNarrowOnesFillUp) {
  const std::vector<PackedJob> jobs{
      {.seconds = 9}, {.seconds = 5, .places = 2}, {.seconds = 2, .after = {0}}, {.seconds = 3}};

  const Packing packing = pack(jobs, 2);

  EXPECT_EQ(packing.starts, (std::vector<double>{0, 9, 14, 0}));
  EXPECT_DOUBLE_EQ(packing.busy_s, 9 + 10 + 2 + 3);
}

TEST(Packing, RefusesAJobThatNeverFits) {
  EXPECT_THROW(pack({{.seconds = 1, .places = 3}}, 2), ConfigError);
}

TEST(Packing, NothingTakesNoTime) { EXPECT_EQ(pack({}, 1).makespan_s, 0); }

}  // namespace
}  // namespace hepar::test
