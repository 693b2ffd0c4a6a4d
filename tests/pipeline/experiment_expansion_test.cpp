#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "pipeline/experiment_fixture.h"
#include "support/temporary.h"

namespace hepar::test {
namespace {

std::vector<std::string> ids(const Experiment& experiment, const std::string& stage) {
  std::vector<std::string> found;
  for (const Cell& cell : experiment.cells) {
    if (cell.stage == stage) {
      found.push_back(cell.id);
    }
  }
  return found;
}

TEST(Expansion, AStageHasTheAxesThatItOrItsAncestorsUse) {
  const Experiment experiment = expand(kStudy);

  EXPECT_EQ(ids(experiment, "set").size(), 1U);
  EXPECT_EQ(ids(experiment, "scratch").size(), 2U);
  EXPECT_EQ(ids(experiment, "scores").size(), 4U);
  ASSERT_NE(experiment.cell("scores", {{"row", "tuned"}, {"seed", "1"}}), nullptr);
  const Trial& score =
      experiment.trial(experiment.cell("scores", {{"row", "tuned"}, {"seed", "1"}})->id);
  EXPECT_EQ(score.inputs, std::vector{experiment.cell("tuned", {{"seed", "1"}})->id});
}

TEST(Expansion, TrialsComeAfterWhatTheyRead) {
  const Experiment experiment = expand(R"(
name: backwards
stages:
  last: {command: make, in: "${first}"}
  first: {command: make, flavour: sweet}
)");

  EXPECT_EQ(experiment.trials.front().stage, "first");
}

TEST(Expansion, AReferenceGathersAStageOverAnAxis) {
  const Experiment experiment = expand(R"(
name: folds
axes: {seed: [7, 8], fold: [0, 1, 2], row: [net]}
stages:
  set: {command: make}
  net: {command: fit, data: "${set}", seed: "${seed}", optimizer: {lr: "${fold}"}}
  all: {command: fit, data: ["${set}", "${${row}[fold]}"], seed: "${seed}"}
  every: {command: fit, data: "${net[seed, fold]}"}
)");

  ASSERT_EQ(ids(experiment, "all").size(), 2U);
  const Trial& gathered =
      experiment.trial(experiment.cell("all", {{"row", "net"}, {"seed", "8"}})->id);
  std::vector<std::string> wanted = ids(experiment, "set");
  for (const char* fold : {"0", "1", "2"}) {
    wanted.push_back(experiment.cell("net", {{"fold", fold}, {"seed", "8"}})->id);
  }
  EXPECT_EQ(gathered.inputs, wanted);
  EXPECT_EQ(gathered.config["data"].size(), 4U);
  ASSERT_EQ(ids(experiment, "every").size(), 1U);
  EXPECT_EQ(experiment.trial(ids(experiment, "every").front()).inputs, ids(experiment, "net"));
}

TEST(Expansion, WhatCannotBeGatheredIsRefused) {
  const auto message = [](const std::string& value) {
    return error_of([&] {
      expand(
          "{name: n, axes: {seed: [0, 1]}, stages: {a: {command: make}, b: {command: fit, "
          "seed: \"${seed}\"}, c: {command: fit, data: \"" +
          value + "\"}}}");
    });
  };

  EXPECT_EQ(message("${b[seed]}"), "");
  EXPECT_NE(message("${b[sed]}").find("no axis 'sed'"), std::string::npos) << message("${b[sed]}");
  EXPECT_NE(message("${a[seed]}").find("does not depend on the axis"), std::string::npos);
  EXPECT_NE(message("${none[seed]}").find("wanted STAGE[AXIS"), std::string::npos);
  EXPECT_NE(message("${b[seed]}/more").find("only stand for a whole value"), std::string::npos);
}

TEST(Expansion, IdsAreThoseOfEarlierVersions) {
  const Experiment experiment = expand(kStudy);

  // Golden: an id that changes makes every finished trial of every user start again.
  EXPECT_EQ(ids(experiment, "set").front(), "e7d19e58bc974dd4");
  EXPECT_EQ(ids(experiment, "scratch"),
            (std::vector<std::string>{"768a5fc526393cca", "9b0bec4e83e73e92"}));
  EXPECT_EQ(ids(experiment, "scores").back(), "48878a91aae091d5");
}

TEST(Expansion, KeysWithoutEffectDoNotChangeAnId) {
  const auto id = [](const std::string& keys) {
    return expand("{name: n, stages: {a: {command: make" + keys + "}}}").trials.front().id;
  };

  EXPECT_EQ(id(""), id(", threads: 4"));
  EXPECT_EQ(id(""), id(", flavour: plain"));  // a default that is spelled out
  EXPECT_NE(id(""), id(", flavour: sweet"));
}

TEST(Expansion, ANumberMeansTheSameHoweverItIsWritten) {
  const auto id = [](const std::string& lr) {
    return expand("{name: n, stages: {a: {command: fit, optimizer: {lr: " + lr + "}}}}")
        .trials.front()
        .id;
  };

  EXPECT_EQ(id("0.01"), id("1e-2"));
  EXPECT_NE(id("0.01"), id("0.02"));
}

TEST(Expansion, AnUpstreamChangeChangesEverythingBelowIt) {
  const Experiment before = expand(kStudy), after = expand(kStudy, {"stages.more.flavour=plain"});

  EXPECT_EQ(ids(before, "scratch"), ids(after, "scratch"));
  EXPECT_NE(ids(before, "tuned"), ids(after, "tuned"));
  EXPECT_NE(ids(before, "scores").back(), ids(after, "scores").back());
}

TEST(Expansion, EqualRequestsAreOneTrial) {
  const Experiment experiment =
      expand("{name: n, stages: {a: {command: make}, b: {command: make, threads: 2}}}");

  EXPECT_EQ(experiment.trials.size(), 1U);
  EXPECT_EQ(experiment.cells.size(), 2U);
}

TEST(Expansion, AnAxisNamedAfterAKeySetsIt) {
  const Experiment experiment =
      expand("{name: n, axes: {a.optimizer.lr: [0.1, 0.2, 0.3]}, stages: {a: {command: fit}}}");

  ASSERT_EQ(experiment.trials.size(), 3U);
  EXPECT_EQ(experiment.trials[2].config["optimizer.lr"], "0.3");
}

TEST(Expansion, OverridesReachAxesValuesAndKeys) {
  const Experiment experiment =
      expand(kStudy, {"axes.seed=[0,1,2]", "values.steps=7", "stages.tuned.optimizer.lr=0.5"});

  EXPECT_EQ(ids(experiment, "tuned").size(), 3U);
  EXPECT_EQ(experiment.trial(ids(experiment, "scratch")[0]).steps, 7);
  EXPECT_EQ(experiment.trial(ids(experiment, "tuned")[0]).config["optimizer.lr"], "0.5");
}

TEST(Expansion, DefaultsOfACommandYieldToTheStagesOwnKeys) {
  const Experiment experiment = expand(R"(
name: defaults
defaults: {fit: {seed: 3, optimizer: {lr: 0.5}}}
stages:
  a: {command: fit}
  b: {command: fit, optimizer: {lr: 0.25}}
)");

  EXPECT_EQ(experiment.trials[0].config["optimizer.lr"], "0.5");
  EXPECT_EQ(experiment.trials[1].config["optimizer.lr"], "0.25");
  EXPECT_EQ(experiment.trials[1].config["seed"], "3");
}

TEST(Expansion, AListValueStandsForAListAndIsSplicedInOne) {
  const Experiment experiment = expand(R"(
name: lists
values: {sets: ["${one}", "${two}"]}
stages:
  one: {command: make}
  two: {command: make, flavour: sweet}
  net: {command: fit, data: "${sets}"}
  big: {command: fit, data: ["${sets}", "${one}"]}
)");

  EXPECT_EQ(experiment.trial(ids(experiment, "net")[0]).inputs.size(), 2U);
  EXPECT_EQ(experiment.trial(ids(experiment, "big")[0]).config["data"].size(), 3U);
}

TEST(Expansion, InputDataFromOutsideAreInTheId) {
  const TemporaryFolder folder;
  const auto id = [&] {
    return expand("{name: n, stages: {a: {command: make, in: " + folder.path().string() + "}}}")
        .trials.front()
        .id;
  };
  write_atomically(folder.path() / "a.bin", std::string(200000, 'x'));
  const std::string before = id();

  write_atomically(folder.path() / "a.bin", std::string(199999, 'x') + "y");

  EXPECT_NE(before, id());
}

TEST(Expansion, AllMistakesAreNamedAtOnceWithLineAndNearestName) {
  const std::string error = error_of([] {
    expand(R"(name: wrong
axes: {sed: [1]}
stages:
  set: {command: mke}
  net: {command: fit, data: "${sett}", seed: -1, optimiser: {lr: 1}}
tabel: {}
)");
  });

  EXPECT_NE(error.find("exp.yaml:6: unknown section 'tabel'; did you mean 'table'?"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("exp.yaml:4: unknown command 'mke'; did you mean 'make'?"),
            std::string::npos);
  EXPECT_NE(error.find("exp.yaml:5: '${sett}': no stage, axis or value has this name; did you "
                       "mean 'set'?"),
            std::string::npos);
  EXPECT_NE(error.find("exp.yaml:2: no stage uses the axis 'sed'"), std::string::npos);
}

TEST(Expansion, WrongKeysAndValuesOfStagesAreNamed) {
  const std::string error = error_of([] {
    expand(R"(name: wrong
stages:
  net: {command: fit, seed: -1, optimiser.lr: 1, train: {steps: many}, out: here}
  set: {command: make, in: /no/such/folder}
)");
  });

  EXPECT_NE(error.find("exp.yaml:3: fit has no key 'optimiser.lr'; did you mean 'optimizer.lr'?"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("seed: wanted >= 0, found -1"), std::string::npos);
  EXPECT_NE(error.find("train.steps: wanted an integer, found 'many'"), std::string::npos);
  EXPECT_NE(error.find("'out' is chosen by the experiment"), std::string::npos);
  EXPECT_NE(error.find("in: /no/such/folder: no such file or folder"), std::string::npos);
}

TEST(Expansion, CirclesAndDoubleKeysAreRefused) {
  const char* circle =
      "{name: n, stages: {a: {command: make, in: \"${b}\"}, b: {command: make, in: \"${a}\"}}}";

  EXPECT_NE(error_of([&] { expand(circle); }).find("reads its own output"), std::string::npos);
  EXPECT_NE(error_of([] { expand("name: n\nname: m\n"); })
                .find("exp.yaml:2: key 'name' is given "
                      "twice"),
            std::string::npos);
  EXPECT_NE(error_of([] { expand(kStudy, {"axes.sed=[1]"}); }).find("did you mean 'seed'?"),
            std::string::npos);
}

TEST(Expansion, AnExperimentSurvivesItsFile) {
  const Experiment experiment = expand(kStudy);

  const Experiment again = experiment_from_json(to_json(experiment), "trials.json");

  EXPECT_EQ(to_json(again), to_json(experiment));
}

}  // namespace
}  // namespace hepar::test
