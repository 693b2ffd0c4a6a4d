#include <gtest/gtest.h>
#include <hepar/pipeline/slurm.h>

#include <algorithm>

#include "pipeline/experiment_fixture.h"
#include "support/temporary.h"

namespace hepar::test {
namespace {

/// kStudy's arrays: level 0 set, more; 1 scratch; 2 tuned and the scores of scratch; 3 scores of
/// tuned.
class SlurmPlan : public ::testing::Test {
 protected:
  SlurmPlan() : experiment_(expand(kStudy)) {}

  std::vector<JobArray> plan(std::size_t largest = 1001) const {
    return plan_arrays(
        {.experiment = experiment_, .states = states_, .queued = queued_, .largest_array = largest},
        site_);
  }
  std::vector<std::string> ids(const std::string& stage) const {
    std::vector<std::string> found;
    for (const Trial& trial : experiment_.trials) {
      if (trial.stage == stage) {
        found.push_back(trial.id);
      }
    }
    return found;
  }
  void set(const std::string& stage, TrialState state) {
    for (const std::string& id : ids(stage)) {
      states_[id] = state;
    }
  }
  /// Each command in arrays of its own.
  void tell_commands_apart() {
    site_.commands["fit"] = {.ranks = 2};
    site_.commands["score"] = {.time = "01:00:00"};
  }

  Experiment experiment_;
  TrialStates states_;
  std::map<std::string, std::string> queued_;
  Site site_;
};

TEST_F(SlurmPlan, EveryTrialIsInOneArrayAfterWhatItReads) {
  const std::vector<JobArray> arrays = plan();

  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    for (const auto& element : arrays[i].elements) {
      ASSERT_EQ(element.size(), 1U);
      EXPECT_TRUE(place.emplace(element.front(), i).second);
    }
  }
  EXPECT_EQ(place.size(), experiment_.trials.size());
  for (const Trial& trial : experiment_.trials) {
    for (const std::string& input : trial.inputs) {
      EXPECT_LT(place.at(input), place.at(trial.id));
    }
  }
}

TEST_F(SlurmPlan, ALevelIsOneArrayForThoseThatAskForTheSame) {
  EXPECT_EQ(plan().size(), 4U);
  EXPECT_EQ(plan()[2].elements.size(), 4U);

  tell_commands_apart();
  EXPECT_EQ(plan().size(), 5U);
}

TEST_F(SlurmPlan, AnElementThatReadsOneOtherWaitsForItAlone) {
  tell_commands_apart();
  const std::vector<JobArray> arrays = plan();

  // tuned reads set and more as well; scratch came after set, more came with it.
  EXPECT_EQ(arrays[0].name, "level0");
  EXPECT_EQ(arrays[1].name, "scratch");
  EXPECT_FALSE(arrays[1].corresponding);
  const auto last = arrays.back();
  ASSERT_EQ(last.name, "scores");
  EXPECT_TRUE(last.corresponding);
  const JobArray& before = arrays[last.after.front()];
  for (std::size_t i = 0; i < last.elements.size(); ++i) {
    const Trial& scores = experiment_.trial(last.elements[i].front());
    EXPECT_EQ(scores.inputs, before.elements[i]);
  }
}

TEST_F(SlurmPlan, OnlyWhatIsMissingIsPlanned) {
  set("set", TrialState::kDone);
  set("more", TrialState::kDone);
  set("scratch", TrialState::kDone);
  set("tuned", TrialState::kDone);
  for (const std::string& id : ids("scores")) {
    states_[id] = TrialState::kDone;
  }
  EXPECT_TRUE(plan().empty());

  states_[ids("tuned")[1]] = TrialState::kSuspect;
  ASSERT_EQ(plan().size(), 1U);
  EXPECT_EQ(plan()[0].elements, (std::vector<std::vector<std::string>>{{ids("tuned")[1]}}));
  EXPECT_TRUE(plan()[0].after.empty());
}

TEST_F(SlurmPlan, WhatIsInTheQueueIsWaitedFor) {
  set("set", TrialState::kDone);
  set("more", TrialState::kDone);
  queued_[ids("scratch")[0]] = "7_0";
  queued_[ids("scratch")[1]] = "7_1";

  const std::vector<JobArray> arrays = plan();

  ASSERT_EQ(arrays[0].elements.size(), 4U);
  EXPECT_EQ(arrays[0].after_jobs, (std::vector<std::string>{"7_0", "7_1"}));
}

TEST_F(SlurmPlan, WhatAFailureBlocksIsNotSubmitted) {
  set("more", TrialState::kFailed);

  for (const JobArray& array : plan()) {
    for (const auto& element : array.elements) {
      EXPECT_NE(experiment_.trial(element.front()).stage, "tuned");
    }
  }
}

TEST_F(SlurmPlan, LongListsAreSplit) {
  const std::vector<JobArray> arrays = plan(3);

  for (const JobArray& array : arrays) {
    EXPECT_LE(array.elements.size(), 3U);
  }
  EXPECT_EQ(arrays.size(), 5U);  // four trials of level 2 in two arrays
}

TEST_F(SlurmPlan, AnElementMayDoSeveralTrials) {
  site_.common.trials_per_element = 3;

  const std::vector<JobArray> arrays = plan();

  ASSERT_EQ(arrays[2].elements.size(), 2U);
  EXPECT_EQ(arrays[2].elements[0].size(), 3U);
  EXPECT_EQ(arrays[2].elements[1].size(), 1U);
}

TEST(SlurmSite, CommandsStartFromTheCommonValues) {
  TemporaryFolder folder;
  const fs::path file = folder.path() / "site.yaml";
  write_atomically(file, std::string("account: liver\ncommands:\n  fit: {ranks: 4}\n"));

  const Site site = read_site(file);

  EXPECT_EQ(site.of("fit").ranks, 4);
  EXPECT_EQ(site.of("fit").account, "liver");
  EXPECT_EQ(site.of("make").ranks, 1);
}

TEST(SlurmSite, AnUnknownKeyIsNamedWithItsPlace) {
  TemporaryFolder folder;
  const fs::path file = folder.path() / "site.yaml";
  write_atomically(file, std::string("acount: liver\ncommands:\n  fit: {ranks: none}\n"));

  const std::string text = error_of([&] { (void)read_site(file); });

  EXPECT_NE(text.find("site.yaml:1"), std::string::npos) << text;
  EXPECT_NE(text.find("did you mean 'account'"), std::string::npos) << text;
  EXPECT_NE(text.find("site.yaml:3"), std::string::npos) << text;
}

TEST(SlurmScript, AsksForWhatTheSiteSays) {
  JobArray array{.name = "net", .elements = {{"a"}, {"b", "c"}}};
  array.resources.throttle = 1;
  array.resources.gpus_per_node = 2;
  array.resources.setup = {"module load openmpi"};
  const ScriptPlace place{.experiment = "/data/my study",
                          .list = "/l.txt",
                          .log = "/log-%A_%a",
                          .program = "/bin/hepar"};

  const std::string text = batch_script(array, place, "#!/bin/bash\n#@RESOURCES\n#@SETUP\nrun\n");

  for (const char* line :
       {"#SBATCH --array=0-1%1\n", "#SBATCH --gpus-per-node=2\n", "#SBATCH --requeue\n",
        "experiment='/data/my study'\n", "module load openmpi\nrun\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " in\n" << text;
  }
  EXPECT_EQ(text.find("--account"), std::string::npos);
}

}  // namespace
}  // namespace hepar::test
