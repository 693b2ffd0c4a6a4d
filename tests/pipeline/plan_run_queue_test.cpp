#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/pipeline/queue_plan.h>

#include "pipeline/plan_run_fixture.h"

namespace hepar::test {
namespace {

TEST(SlurmSeconds, ReadsEveryWayToWriteALimit) {
  EXPECT_EQ(slurm_seconds("90"), 90 * 60);
  EXPECT_EQ(slurm_seconds("30:15"), 30 * 60 + 15);
  EXPECT_EQ(slurm_seconds("24:00:00"), 24 * 3600);
  EXPECT_EQ(slurm_seconds("1-12"), 36 * 3600);
  EXPECT_EQ(slurm_seconds("1-12:30"), 36 * 3600 + 1800);
  EXPECT_EQ(slurm_seconds("1-00:00:07"), 24 * 3600 + 7);
  EXPECT_EQ(slurm_seconds("UNLIMITED"), std::nullopt);
}

TEST(SlurmSeconds, RefusesWhatIsNone) {
  for (const char* wrong : {"", "soon", "1:2:3:4", "1-", "-5", "1.5"}) {
    EXPECT_THROW((void)slurm_seconds(wrong), ConfigError) << wrong;
  }
}

/// kNets: a plan (1 s), a set (2 s), three networks (100 s, 10 of them the start), three
/// predictions (30 s).
class QueuePlanned : public ::testing::Test {
 protected:
  QueuePlanned() : experiment_(expand_study(kNets)) {
    site_.common.time = "UNLIMITED";
    for (const Trial& trial : experiment_.trials) {
      const bool net = trial.command == "train";
      estimates_[trial.id] = {.basis = Basis::kSameTrial,
                              .seconds = net                          ? 100.0
                                         : trial.command == "predict" ? 30.0
                                         : trial.command == "prepare" ? 2.0
                                                                      : 1.0,
                              .start_s = net ? 10.0 : 0.0};
    }
  }
  QueuePlan plan(const Overheads& overheads = {}) const {
    return plan_queue(experiment_, site_, estimates_, overheads);
  }

  Experiment experiment_;
  Site site_;
  std::map<std::string, Estimate> estimates_;
};

TEST_F(QueuePlanned, ALevelIsAnArrayAndATrialAnElement) {
  const QueuePlan queue = plan();

  EXPECT_EQ(queue.arrays, 4U);
  EXPECT_EQ(queue.elements, 8U);
  EXPECT_EQ(queue.requeues, 0U);
}

TEST_F(QueuePlanned, ElementsWaitAsTheirArraysDo) {
  const QueuePlan queue = plan();

  EXPECT_EQ(queue.jobs[1].after, std::vector<std::size_t>{0});
  EXPECT_EQ(queue.jobs[4].after, std::vector<std::size_t>{1});
  // A prediction reads its network alone of what is still open: element by element.
  EXPECT_EQ(queue.jobs[6].after, std::vector<std::size_t>{3});
  EXPECT_DOUBLE_EQ(pack(queue.jobs, 3).makespan_s, 1 + 2 + 100 + 30);
  EXPECT_DOUBLE_EQ(pack(queue.jobs, 1).makespan_s, 1 + 2 + 300 + 90);
}

TEST_F(QueuePlanned, OverheadsAreForEachTrialAndEachElement) {
  site_.commands["train"] = site_.common;
  site_.commands["train"].trials_per_element = 3;

  const QueuePlan queue = plan({.trial_s = 0.5, .element_s = 4});

  EXPECT_EQ(queue.elements, 6U);
  EXPECT_DOUBLE_EQ(queue.jobs[2].seconds, 4 + 3 * 100.5);
}

TEST_F(QueuePlanned, ATrainingIsRequeuedAtTheLimitAndStartsAgain) {
  site_.commands["train"] = site_.common;
  site_.commands["train"].time = "0:50";
  site_.commands["train"].signal_s = 10;

  const QueuePlan queue = plan();

  // 100 s in parts of 40 s: three parts, two requeues of 10 s each.
  EXPECT_EQ(queue.requeues, 3U * 2);
  EXPECT_DOUBLE_EQ(queue.jobs[2].seconds, 120);
  EXPECT_TRUE(queue.too_long.empty());
}

TEST_F(QueuePlanned, WhatCannotStopAndDoesNotEndIsNamed) {
  site_.commands["predict"] = site_.common;
  site_.commands["predict"].time = "0:20";
  site_.commands["predict"].signal_s = 0;

  EXPECT_EQ(plan().too_long.size(), 3U);
}

TEST_F(QueuePlanned, MoreRequeuesThanAllowedAreNamed) {
  site_.commands["train"] = site_.common;
  site_.commands["train"].time = "0:50";
  site_.commands["train"].signal_s = 10;
  site_.commands["train"].requeues = 1;

  EXPECT_EQ(plan().too_often, std::vector<std::string>{"net"});
}

TEST_F(QueuePlanned, ThrottleLetsSoManyRunAtOnce) {
  site_.common.throttle = 1;

  const QueuePlan queue = plan();

  EXPECT_DOUBLE_EQ(pack(queue.jobs, 9).makespan_s, 1 + 2 + 300 + 30);
}

TEST_F(QueuePlanned, AnElementTakesItsRanksOrItsGpus) {
  site_.common.ranks = 2;
  site_.common.gpus_per_node = 4;

  EXPECT_EQ(plan().jobs.front().places, 4);
}

}  // namespace
}  // namespace hepar::test
