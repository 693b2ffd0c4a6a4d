#include <gtest/gtest.h>
#include <hepar/pipeline/schedule.h>
#include <hepar/pipeline/status_command.h>

#include <algorithm>

#include "pipeline/experiment_fixture.h"
#include "support/temporary.h"

namespace hepar::test {
namespace {

class Store : public ::testing::Test {
 protected:
  Store() : store_(folder_.path() / "exp"), experiment_(expand(kStudy)) {
    store_.open(experiment_, false);
    store_.plan(experiment_, false);
  }

  const Trial& trial(const std::string& stage, std::size_t which = 0) const {
    std::vector<const Trial*> found;
    for (const Trial& t : experiment_.trials) {
      if (t.stage == stage) {
        found.push_back(&t);
      }
    }
    return *found.at(which);
  }

  TrialState state(const Trial& trial) const { return store_.states().at(trial.id); }
  void start(const Trial& trial) {
    ASSERT_TRUE(store_.move(trial.id, TrialState::kPlanned, TrialState::kRunning));
  }
  /// As a run does that finds the processes of all running trials dead.
  std::size_t recover_dead() {
    std::size_t lines = 0;
    for (const auto& [id, ignored] : store_.states()) {
      lines += store_.recover(id, RunnerFate::kDied) ? 1 : 0;
    }
    store_.forget_stop();
    return lines;
  }
  void fail(const Trial& trial) {
    ASSERT_TRUE(store_.move(trial.id, TrialState::kPlanned, TrialState::kFailed));
  }

  TemporaryFolder folder_;
  TrialStore store_;
  Experiment experiment_;
};

TEST_F(Store, OnlyOneTakerGetsATrial) {
  EXPECT_TRUE(store_.move(trial("set").id, TrialState::kPlanned, TrialState::kRunning));
  EXPECT_FALSE(store_.move(trial("set").id, TrialState::kPlanned, TrialState::kRunning));
}

TEST_F(Store, ATrialLeftRunningIsSuspectAndFailsAtTheSecondDeath) {
  start(trial("set"));

  EXPECT_EQ(recover_dead(), 1U);
  EXPECT_EQ(state(trial("set")), TrialState::kSuspect);

  ASSERT_TRUE(store_.move(trial("set").id, TrialState::kSuspect, TrialState::kRunning));
  (void)recover_dead();
  ASSERT_EQ(state(trial("set")), TrialState::kFailed);
  EXPECT_NE(store_.outcome(trial("set").id)->message.find("died twice"), std::string::npos);
}

TEST_F(Store, AStopThatWasNotAnnouncedDoesNotExcuseADeath) {
  start(trial("set"));
  store_.request_stop(false);  // SIGTERM: also what the others get when one rank dies

  (void)recover_dead();

  EXPECT_EQ(state(trial("set")), TrialState::kSuspect);
  EXPECT_FALSE(store_.stop_requested());
}

TEST_F(Store, AfterAnAnnouncedStopNobodyIsSuspect) {
  start(trial("set"));
  store_.request_stop(true);
  store_.request_stop(false);

  (void)recover_dead();

  EXPECT_EQ(state(trial("set")), TrialState::kPlanned);
  EXPECT_FALSE(store_.stop_requested());
}

TEST_F(Store, ALostAllocationIsNobodysFaultAndOthersAreLeftAlone) {
  start(trial("set"));
  start(trial("more"));

  EXPECT_TRUE(store_.recover(trial("more").id, RunnerFate::kLost));
  EXPECT_FALSE(store_.recover(trial("more").id, RunnerFate::kDied));

  EXPECT_EQ(state(trial("set")), TrialState::kRunning);
  EXPECT_EQ(state(trial("more")), TrialState::kPlanned);
  EXPECT_EQ(store_.deaths(trial("more").id), 0);
}

TEST_F(Store, APartsRequestToStopIsItsOwn) {
  const TrialStore part(store_.folder(), trial("set").id);

  part.request_stop(true);

  EXPECT_TRUE(part.stop_requested());
  EXPECT_FALSE(store_.stop_requested());
}

TEST_F(Store, FailedTrialsAreRetriedOnRequestOnly) {
  fail(trial("set"));

  store_.plan(experiment_, false);
  EXPECT_EQ(state(trial("set")), TrialState::kFailed);
  store_.plan(experiment_, true);
  EXPECT_EQ(state(trial("set")), TrialState::kPlanned);
}

TEST_F(Store, ADeletedTrialIsPlannedAgainAndNoOther) {
  finish(store_, trial("set"));
  finish(store_, trial("more"));

  fs::remove_all(store_.trial_folder(trial("set").id));
  store_.plan(experiment_, false);

  EXPECT_EQ(state(trial("set")), TrialState::kPlanned);
  EXPECT_EQ(state(trial("more")), TrialState::kDone);
}

TEST_F(Store, OutputsAreComparedWithWhatTheyWereWhenDone) {
  finish(store_, trial("set"), "first");
  EXPECT_TRUE(store_.changed_outputs(trial("set")).empty());

  const fs::path file = store_.output(trial("set")) / "file";
  write_atomically(file, std::string("first"));  // another time, the same bytes
  EXPECT_TRUE(store_.changed_outputs(trial("set")).empty());
  write_atomically(file, std::string("other"));
  ASSERT_EQ(store_.changed_outputs(trial("set")).size(), 1U);
  fs::remove(file);
  EXPECT_NE(store_.changed_outputs(trial("set")).front().find("is gone"), std::string::npos);
}

TEST_F(Store, OnlyTheResultsOfAnOutputFolderCount) {
  finish(store_, trial("scratch"));

  write_atomically(store_.output(trial("scratch")) / "checkpoint", std::string("later"));

  EXPECT_TRUE(store_.changed_outputs(trial("scratch")).empty());
}

TEST_F(Store, DriftIsRefusedWithTheKeysThatChanged) {
  const Experiment changed = expand(kStudy, {"values.steps=30", "stages.more.flavour=plain"});

  const std::string error = error_of([&] { store_.open(changed, false); });

  EXPECT_NE(error.find("stage scratch (seed=0): train.steps: \"20\" -> \"30\""), std::string::npos)
      << error;
  EXPECT_NE(error.find("stage more: flavour: \"sweet\" -> not given"), std::string::npos);
  EXPECT_EQ(error.find("stage scores"), std::string::npos) << "only the causes";
  EXPECT_EQ(store_.experiment().cells.front().id, experiment_.cells.front().id);
  store_.open(changed, true);
}

TEST_F(Store, MoreSeedsAreNoDrift) {
  store_.open(expand(kStudy, {"axes.seed=[0,1,2]"}), false);

  EXPECT_EQ(store_.experiment().cells.size(), 2 + 3 * 4U);
}

TEST_F(Store, DependantsOfAFailedTrialAreBlockedAndTheRestGoesOn) {
  finish(store_, trial("set"));
  fail(trial("more"));
  const Schedule schedule(experiment_, {});

  const auto blocked = schedule.blocked(store_.states());

  EXPECT_EQ(blocked.size(), 4U);  // tuned and its scores, two seeds
  EXPECT_EQ(blocked.at(trial("tuned").id), trial("more").id);
  const NextStep next = schedule.next(store_.states(), true);
  EXPECT_EQ(next.candidates.size(), 2U);
}

TEST_F(Store, TheLongestWayToTheEndGoesFirst) {
  const Schedule schedule(experiment_, {});

  const NextStep next = schedule.next(store_.states(), true);

  // Everything waits for `set`; `more` only holds up the tuned networks.
  EXPECT_EQ(next.candidates, (std::vector{trial("set").id, trial("more").id}));
}

TEST_F(Store, ExpectedCostsComeFromWhatWasMeasured) {
  const Schedule schedule(experiment_, {{trial("scratch", 0).id, 40.0}});

  EXPECT_DOUBLE_EQ(schedule.expected_s(trial("scratch", 1).id), 40.0);
  EXPECT_DOUBLE_EQ(schedule.expected_s(trial("tuned", 0).id), 20.0);  // 10 of 20 steps' cost
}

TEST_F(Store, SuspectsRunAloneAndLast) {
  start(trial("more"));
  (void)recover_dead();
  const Schedule schedule(experiment_, {});

  EXPECT_EQ(schedule.next(store_.states(), true).kind, NextStep::Kind::kRun);
  start(trial("set"));
  EXPECT_EQ(schedule.next(store_.states(), true).kind, NextStep::Kind::kWait);
  finish(store_, trial("set"));
  for (std::size_t seed = 0; seed < 2; ++seed) {
    finish(store_, trial("scratch", seed));
    const Cell* scores =
        experiment_.cell("scores", {{"row", "scratch"}, {"seed", std::to_string(seed)}});
    finish(store_, experiment_.trial(scores->id));
  }
  EXPECT_EQ(schedule.next(store_.states(), false).kind, NextStep::Kind::kWait);
  const NextStep alone = schedule.next(store_.states(), true);
  EXPECT_EQ(alone.kind, NextStep::Kind::kRunAlone);
  EXPECT_EQ(alone.candidates, std::vector{trial("more").id});
}

TEST_F(Store, NothingIsLeftWhenTheRestIsBlocked) {
  fail(trial("set"));
  finish(store_, trial("more"));

  EXPECT_EQ(Schedule(experiment_, {}).next(store_.states(), true).kind, NextStep::Kind::kFinish);
}

TEST_F(Store, StatusNamesFailuresAndWhatTheyBlock) {
  finish(store_, trial("set"));
  store_.write_outcome(trial("more").id, {.message = "the disk is full"});
  fail(trial("more"));

  const std::string text = status_text(store_.folder());

  EXPECT_NE(text.find("failed: more: the disk is full"), std::string::npos) << text;
  EXPECT_NE(text.find("blocks 4 trial(s)"), std::string::npos);
}

TEST(StatusCommand, AnswersForTwoThousandTrialsWithinASecond) {
  const TemporaryFolder folder;
  const TrialStore store(folder.path());
  std::string seeds;
  for (int seed = 0; seed < 1000; ++seed) {
    seeds += (seed == 0 ? "" : ",") + std::to_string(seed);
  }
  const Experiment experiment = expand(R"(
name: many
axes: {seed: [0]}
stages:
  net: {command: fit, seed: "${seed}"}
  score: {command: score, in: "${net}"}
)",
                                       {"axes.seed=[" + seeds + "]"});
  store.open(experiment, false);
  store.plan(experiment, false);
  store.write_outcome(experiment.trials[0].id, {.done = true, .cost = {.wall_s = 1}});
  const fs::path first = store.trial_folder(experiment.trials[0].id) / "outcome.json";
  for (std::size_t i = 0; i < 1000; ++i) {
    const std::string& id = experiment.trials[i].id;
    if (i > 0) {
      fs::copy_file(first, store.trial_folder(id) / "outcome.json");
    }
    ASSERT_TRUE(store.move(id, TrialState::kPlanned, TrialState::kDone));
  }

  const auto start = std::chrono::steady_clock::now();
  const std::string text = status_text(folder.path());
  const auto took = std::chrono::steady_clock::now() - start;

  EXPECT_NE(text.find("2000"), std::string::npos);
  EXPECT_LT(std::chrono::duration<double>(took).count(), 1.0);
}

}  // namespace
}  // namespace hepar::test
