#include <gtest/gtest.h>
#include <hepar/pipeline/plan_run_command.h>

#include <sstream>

#include "pipeline/plan_run_fixture.h"
#include "support/temporary.h"

namespace hepar::test {
namespace {

/// kNets, done on one rank: plan 1 s, set 2 s, three networks of 12 s (10 s of steps), predictions
/// of 4, 4 and 7 s; two groups ran side by side.
class PlanRunCommand : public ::testing::Test {
 protected:
  PlanRunCommand() : experiment_(expand_study(kNets)), store_(folder_.path() / "exp") {
    store_.open(experiment_, false);
    store_.plan(experiment_, false);
    config_.experiment = store_.folder();
    config_.json = true;
  }

  void run_all() {
    leave(store_, of("plan"), {.wall_s = 1, .started = at(0)});
    leave(store_, of("set"), {.wall_s = 2, .started = at(1)});
    for (const std::size_t i : {0, 1, 2}) {
      leave(store_, of("net", i),
            {.wall_s = 12, .step_s = 0.5, .started = i == 2 ? at(15) : at(3)});
    }
    leave(store_, of("masks", 0), {.wall_s = 4, .started = at(15)});
    leave(store_, of("masks", 1), {.wall_s = 4, .started = at(19)});
    leave(store_, of("masks", 2), {.wall_s = 7, .started = at(27)});
  }
  [[nodiscard]] const Trial& of(const std::string& stage, std::size_t i = 0) const {
    return *trials_of(experiment_, stage)[i];
  }
  static std::string at(int second) {
    return "2026-01-01T00:00:" + std::string(second < 10 ? "0" : "") + std::to_string(second) + "Z";
  }

  [[nodiscard]] std::string printed() const {
    ::testing::internal::CaptureStdout();
    run_plan_run_command(config_, false);
    return ::testing::internal::GetCapturedStdout();
  }
  [[nodiscard]] Json planned() const { return Json::parse(printed()); }
  [[nodiscard]] std::string refusal() const {
    return error_of([&] { run_plan_run_command(config_, false); });
  }

  TemporaryFolder folder_;
  Experiment experiment_;
  TrialStore store_;
  PlanRunConfig config_;
};

constexpr double kRunner = 0.1;  // s a trial

TEST_F(PlanRunCommand, OneGroupTakesAllTrialsInARow) {
  run_all();

  const Json plan = planned();

  EXPECT_NEAR(plan["wall_s"], 1 + 2 + 3 * 12 + 15 + 8 * kRunner, 1e-9);
  EXPECT_NEAR(plan["totals"]["core_hours"], 54 / 3600.0, 1e-9);
  EXPECT_EQ(plan["totals"]["not_measured"], 0);
}

TEST_F(PlanRunCommand, GroupsAreAsManyAsRanksAllow) {
  run_all();
  config_.nodes = 3;
  config_.ranks_per_trial = 1;

  // The longest chain: plan, set, a network, the longest prediction.
  EXPECT_NEAR(planned()["wall_s"], 1 + 2 + 12 + 7 + 4 * kRunner, 1e-9);
}

TEST_F(PlanRunCommand, FilesAreResultsCheckpointsAndInputs) {
  run_all();

  const Json plan = planned();

  // A network: 1,000 bytes of weights and one checkpoint of 3,000 after its 20 steps.
  EXPECT_EQ(plan["stages"]["net"]["written_bytes"], 3 * 4000);
  EXPECT_EQ(plan["stages"]["net"]["read_bytes"], 3 * 1000);
  EXPECT_EQ(plan["stages"]["masks"]["read_bytes"], 3 * 2000);
}

TEST_F(PlanRunCommand, ErrorIsThatOfTrialsPredictedWithoutThemselves) {
  run_all();

  const Json error = planned()["error"];

  EXPECT_EQ(error["commands"]["plan"]["no_other"], 1);
  EXPECT_NEAR(error["commands"]["train"]["predicted_s"], 36, 1e-9);
  // 4 from (4, 7), 4 from (4, 7), 7 from (4, 4).
  EXPECT_NEAR(error["commands"]["predict"]["predicted_s"], 5.5 + 5.5 + 4, 1e-9);
  EXPECT_NEAR(error["commands"]["predict"]["median_error"], 1.5 / 4, 1e-9);
}

TEST_F(PlanRunCommand, TheRunsWallIsPredictedOnItsOwnGroups) {
  run_all();

  const Json wall = planned()["error"]["walls"][store_.folder().string()];

  EXPECT_EQ(wall["groups"], 2);
  EXPECT_EQ(wall["as_measured"], 2);  // nothing else says what plan and set cost
  EXPECT_NEAR(wall["measured_s"], 34, 1e-9);
  // Two networks, then the third beside two predictions, then its own; all but two as others cost.
  EXPECT_NEAR(wall["predicted_s"], 1 + 2 + 12 + 12 + 4 + 5 * kRunner, 1e-9);
}

TEST_F(PlanRunCommand, WhatIsNotMeasuredIsSaidAndNotSummed) {
  leave(store_, of("plan"), {.wall_s = 1});
  leave(store_, of("set"), {.wall_s = 2});
  config_.json = false;

  const std::string text = printed();

  EXPECT_NE(text.find("at least 3.2 s"), std::string::npos) << text;
  EXPECT_NE(text.find("3 of net: no 'train' was measured"), std::string::npos) << text;
}

TEST_F(PlanRunCommand, TheTextNamesWhatEstimatesRestOn) {
  run_all();
  config_.json = false;
  config_.measured = {store_.folder()};

  const std::string text = printed();

  for (const std::string& wanted : {std::string("same trial"), of("plan").id,
                                    std::string("each itself, of ") + store_.folder().string(),
                                    std::string("assumptions:"), std::string("wall time of ")}) {
    EXPECT_NE(text.find(wanted), std::string::npos) << wanted << " in\n" << text;
  }
}

TEST_F(PlanRunCommand, ASiteSaysWhatJobsThereAre) {
  run_all();
  config_.site = folder_.path() / "site.yaml";
  write_atomically(config_.site, std::string("time: UNLIMITED\ncommands: {train: {ranks: 2}}\n"));
  config_.nodes = 2;

  const Json plan = planned();

  EXPECT_EQ(plan["queue"]["arrays"], 4);
  EXPECT_EQ(plan["queue"]["elements"], 8);
  EXPECT_EQ(plan["machine"]["ranks_per_node"], 2);  // what the widest element has of a node
}

TEST_F(PlanRunCommand, RefusesWhatCannotBe) {
  EXPECT_NE(refusal().find("nothing was measured"), std::string::npos);
  run_all();
  config_.ranks_per_trial = 2;
  EXPECT_NE(refusal().find("1 ranks do not divide into groups of 2"), std::string::npos);
  config_.ranks_per_trial = 0;
  config_.device_speedup = 3;
  EXPECT_NE(refusal().find("give --gpus"), std::string::npos);
  config_.gpus = 2;
  config_.ranks = 3;
  EXPECT_NE(refusal().find("a GPU for each rank"), std::string::npos);
  config_ = {};
  EXPECT_NE(refusal().find("plan-run: which experiment?"), std::string::npos);
}

TEST_F(PlanRunCommand, GpusWithoutAMeasurementAreLeftOut) {
  run_all();
  config_.gpus = 1;
  const Json refused = planned();
  config_.device_speedup = 5;
  const Json assumed = planned();

  EXPECT_EQ(refused["totals"]["not_measured"], 6);
  EXPECT_EQ(assumed["totals"]["not_measured"], 0);
  EXPECT_NEAR(assumed["stages"]["net"]["seconds"], 3 * (2 + 10 / 5.0), 1e-9);
  EXPECT_NE(assumed["assumptions"][0].get<std::string>().find("ASSUMED"), std::string::npos);
}

/// Four configurations over rungs of 10 and 20 steps, of which one in two goes on.
TEST(PlanRunSweep, ASHATakesAsManyAsGoOn) {
  const Experiment sweep = expand_study(R"(
name: sweep
axes: {net.optimizer.lr: [1, 2, 3, 4]}
sweep:
  metric: {stage: net, key: loss, goal: min}
  asha: {stage: net, rungs: [10, 20], eta: 2}
stages:
  plan: {command: plan}
  net: {command: train, data: {path: "${plan}"}, train: {steps: 20, global_batch: 4}}
)");
  const TemporaryFolder folder;
  const TrialStore store(folder.path() / "exp");
  store.open(sweep, false);
  store.plan(sweep, false);
  leave(store, *trials_of(sweep, "plan")[0], {.wall_s = 1});
  leave(store, *trials_of(sweep, "net")[0], {.wall_s = 6, .step_s = 0.5});
  PlanRunConfig config;
  config.experiment = store.folder();
  config.json = true;

  ::testing::internal::CaptureStdout();
  run_plan_run_command(config, false);
  const Json plan = Json::parse(::testing::internal::GetCapturedStdout());

  ASSERT_EQ(sweep.trials.size(), 9U);
  EXPECT_EQ(plan["totals"]["trials"], 1 + 4 + 2);
  EXPECT_NEAR(plan["wall_s"], 1 + 6 * 6 + 7 * kRunner, 1e-9);
}

}  // namespace
}  // namespace hepar::test
