#include <gtest/gtest.h>
#include <hepar/pipeline/estimate.h>

#include "pipeline/plan_run_fixture.h"

namespace hepar::test {
namespace {

/// `text` with the first `from` replaced.
std::string with(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

/// kNets of which two networks (12 and 14 s, 10 s of each are steps) and the rest of the first seed
/// were done on one rank with two cores.
class PlanRunEstimate : public ::testing::Test {
 protected:
  PlanRunEstimate() : before_(expand_study(kNets)) {
    see(*trials_of(before_, "plan")[0], {.wall_s = 1, .cores = 2});
    see(*trials_of(before_, "set")[0], {.wall_s = 8, .cores = 2});
    see(*trials_of(before_, "net")[0], {.wall_s = 12, .cores = 2, .step_s = 0.5});
    see(*trials_of(before_, "net")[1], {.wall_s = 14, .cores = 2, .step_s = 0.5});
  }
  void see(const Trial& trial, const Done& done) {
    seen_.push_back(measured(before_, trial, done));
  }
  /// Of a stage's last trial in another experiment.
  Estimate estimate(const std::string& yaml, const std::string& stage, TrialPlace place = {},
                    bool leave_out = false) const {
    const Experiment now = expand_study(yaml);
    const Trial& trial = *trials_of(now, stage).back();
    const auto keys = cost_keys(now);
    return Estimator(seen_, options_)
        .estimate(
            {.trial = trial, .keys = keys.at(trial.id), .place = place, .leave_out = leave_out});
  }

  Experiment before_;
  std::vector<MeasuredTrial> seen_;
  EstimateOptions options_;
};

TEST_F(PlanRunEstimate, ATrialThatWasDoneCostsWhatItCost) {
  const Estimate set = estimate(kNets, "set");

  EXPECT_EQ(set.basis, Basis::kSameTrial);
  EXPECT_DOUBLE_EQ(set.seconds, 8);
  EXPECT_DOUBLE_EQ(set.core_hours, 8 * 2 / 3600.0);
}

TEST_F(PlanRunEstimate, AnotherSeedIsTheSameWorkAndTakesTheMean) {
  const Estimate net = estimate(kNets, "net");

  EXPECT_EQ(net.basis, Basis::kSameWork);
  EXPECT_EQ(net.rests_on.size(), 2U);
  EXPECT_DOUBLE_EQ(net.seconds, 13);
  EXPECT_DOUBLE_EQ(net.start_s, 3);
}

TEST_F(PlanRunEstimate, LeavingATrialOutTakesTheOthers) {
  const std::string two = with(kNets, "[0, 1, 2]", "[0, 1]");

  EXPECT_DOUBLE_EQ(estimate(two, "net").seconds, 14);
  EXPECT_DOUBLE_EQ(estimate(two, "net", {}, true).seconds, 12);
}

TEST_F(PlanRunEstimate, MoreStepsCostMoreStepsAndOneStart) {
  const Estimate net = estimate(with(kNets, "steps: 20", "steps: 100"), "net");

  EXPECT_EQ(net.basis, Basis::kSameWork);
  EXPECT_DOUBLE_EQ(net.seconds, 3 + 100 * 0.5);
  EXPECT_EQ(net.scaled, std::vector<std::string>{"20 -> 100 steps"});
}

TEST_F(PlanRunEstimate, WhatDiffersIsNamed) {
  const Estimate net =
      estimate(with(kNets, "command: train,", "command: train, head: reg,"), "net");

  EXPECT_EQ(net.basis, Basis::kNearest);
  EXPECT_EQ(net.differs, std::vector<std::string>{"head"});
}

TEST_F(PlanRunEstimate, OtherDataUpstreamIsNamedToo) {
  const Estimate net =
      estimate(with(kNets, "command: prepare,", "command: prepare, patch: other,"), "net");

  EXPECT_EQ(net.differs, std::vector<std::string>{"data.path"});
}

TEST_F(PlanRunEstimate, AnotherNetworkIsNotMeasured) {
  for (const std::string& yaml :
       {with(kNets, "command: train,", "command: train, backbone: {width: 64},"),
        with(kNets, "command: train,", "command: train, task: staging,"),
        with(kNets, "{command: plan}", "{command: plan, patch: 96}")}) {
    const Estimate net = estimate(yaml, "net");

    EXPECT_FALSE(net.measured()) << yaml;
    EXPECT_EQ(net.seconds, 0);
    EXPECT_EQ(net.reason, "no training of this task and network was measured");
  }
}

TEST_F(PlanRunEstimate, ACommandThatNeverRanIsNotMeasured) {
  EXPECT_EQ(estimate(kNets, "masks").reason, "no 'predict' was measured");
}

TEST_F(PlanRunEstimate, CasesAreSharedByRanks) {
  const Estimate set = estimate(kNets, "set", {.ranks = 4});

  EXPECT_DOUBLE_EQ(set.seconds, 2);
  EXPECT_DOUBLE_EQ(set.core_hours, 8 * 2 / 3600.0);
  EXPECT_EQ(set.scaled, std::vector<std::string>{"1 -> 4 ranks"});
  EXPECT_DOUBLE_EQ(estimate(kNets, "plan", {.ranks = 4}).seconds, 1);
}

TEST_F(PlanRunEstimate, RanksShareTheBatchOfATraining) {
  EXPECT_DOUBLE_EQ(estimate(kNets, "net", {.ranks = 2}).seconds,
                   3 + 20 * (0.25 + options_.network.seconds({.bytes = 0, .ranks = 2})));
}

TEST_F(PlanRunEstimate, MoreRanksThanSamplesAreNotPlanned) {
  const Estimate net = estimate(kNets, "net", {.ranks = 8});

  EXPECT_FALSE(net.measured());
  EXPECT_NE(net.reason.find("8 ranks cannot share a global batch of 4"), std::string::npos);
}

TEST_F(PlanRunEstimate, AGpuIsNotMeasuredUnlessItsSpeedIsAssumed) {
  const Estimate none = estimate(kNets, "net", {.gpus = 1});
  options_.device_speedup = 5;
  const Estimate assumed = estimate(kNets, "net", {.gpus = 1});

  EXPECT_FALSE(none.measured());
  EXPECT_NE(none.reason.find("--device-speedup"), std::string::npos);
  EXPECT_DOUBLE_EQ(assumed.seconds, 3 + 20 * 0.1);
  EXPECT_DOUBLE_EQ(assumed.gpu_hours, 5 / 3600.0);
  EXPECT_EQ(assumed.scaled, std::vector<std::string>{"processors -> GPU"});
}

TEST_F(PlanRunEstimate, WhatUsesNoDeviceIsAsOnProcessors) {
  EXPECT_DOUBLE_EQ(estimate(kNets, "set", {.gpus = 1}).seconds, 8);
}

TEST_F(PlanRunEstimate, ARunOnAGpuSaysNothingOfProcessors) {
  for (MeasuredTrial& seen : seen_) {
    seen.on_gpu = true;
  }

  EXPECT_FALSE(estimate(kNets, "net").measured());
  EXPECT_DOUBLE_EQ(estimate(kNets, "net", {.gpus = 1}).seconds, 13);
}

TEST_F(PlanRunEstimate, TheNearestNumberOfRanksIsTaken) {
  seen_.clear();
  see(*trials_of(before_, "set")[0], {.wall_s = 8, .ranks = 1});
  see(*trials_of(before_, "set")[0], {.wall_s = 3, .ranks = 4});

  EXPECT_DOUBLE_EQ(estimate(kNets, "set", {.ranks = 8}).seconds, 1.5);
}

TEST(CheckpointsOf, OneEverySoManyStepsAndOneAtTheEnd) {
  Trial trial{.steps = 100};
  trial.config["train.checkpoint_every"] = "50";

  EXPECT_EQ(checkpoints_of(trial), 2);
  trial.steps = 101;
  EXPECT_EQ(checkpoints_of(trial), 3);
  trial.first_step = 50;  // to step 151: at 100, 150 and the end
  EXPECT_EQ(checkpoints_of(trial), 3);
  trial.steps = 0;
  EXPECT_EQ(checkpoints_of(trial), 0);
}

}  // namespace
}  // namespace hepar::test
