#include <gtest/gtest.h>
#include <hepar/pipeline/sweep.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "pipeline/experiment_fixture.h"
#include "support/temporary.h"

namespace hepar::test {
namespace {

std::vector<const Trial*> trials(const Experiment& experiment, const std::string& stage) {
  std::vector<const Trial*> found;
  for (const Trial& trial : experiment.trials) {
    if (trial.stage == stage) {
      found.push_back(&trial);
    }
  }
  return found;
}

const char* const kRungs = R"(
name: rungs
axes: {net.optimizer.lr: [0.1, 0.2]}
stages:
  set: {command: make}
  net: {command: fit, data: "${set}", train: {steps: 9}}
  scores: {command: score, in: "${net}"}
sweep:
  metric: {stage: scores, key: dsc}
  asha: {stage: net, rungs: [2, 4, 9], eta: 2}
)";

TEST(Sweep, AnAxisWithAConditionIsThereWhereItHolds) {
  const Experiment experiment = expand(R"(
name: conditional
axes:
  net.note: [a, b]
  net.optimizer.momentum: {values: [0.5, 0.7], when: {net.note: b}}
  net.optimizer.lr: {values: [1, 2], when: {net.note: [a, b], net.optimizer.momentum: 0.7}}
stages:
  net: {command: fit}
)");

  std::vector<std::string> found;
  for (const Trial* trial : trials(experiment, "net")) {
    found.push_back(to_string(trial->axes));
    EXPECT_EQ(trial->config.contains("optimizer.lr"), trial->axes.contains("net.optimizer.lr"));
  }
  EXPECT_EQ(found, (std::vector<std::string>{
                       "net.note=a", "net.note=b, net.optimizer.momentum=0.5",
                       "net.note=b, net.optimizer.lr=1, net.optimizer.momentum=0.7",
                       "net.note=b, net.optimizer.lr=2, net.optimizer.momentum=0.7"}));
}

std::string sampled(const std::string& samples, const std::string& more = "") {
  return "{name: n, axes: {" + more +
         "net.optimizer.lr: {log_uniform: [0.001, 0.1]}, net.optimizer.momentum: {uniform: [0.5, "
         "0.9]}, kind: [p, q, r], seed: [0, 1]}, stages: {set: {command: make, threads: "
         "\"${seed}\"}, net: {command: fit, note: "
         "\"${kind}\", seed: \"${seed}\"}, scores: {command: score, in: \"${net}\"}}, sweep: "
         "{metric: {stage: scores, key: dsc}, repeats: seed, samples: " +
         samples + ", seed: 5}}";
}

TEST(Sweep, SamplesAreDrawnFromRangesAndLists) {
  const Experiment experiment = expand(sampled("200"));

  std::set<std::string> kinds;
  double log_sum = 0, momentum_sum = 0;
  const std::vector<const Trial*> nets = trials(experiment, "net");
  ASSERT_EQ(nets.size(), 400U);  // each with both seeds
  for (const Trial* trial : nets) {
    const double lr = std::stod(trial->axes.at("net.optimizer.lr"));
    const double momentum = std::stod(trial->axes.at("net.optimizer.momentum"));
    EXPECT_TRUE(lr >= 0.001 && lr <= 0.1 && momentum >= 0.5 && momentum <= 0.9);
    kinds.insert(trial->axes.at("kind"));
    log_sum += std::log10(lr) / 400;
    momentum_sum += momentum / 400;
  }
  EXPECT_EQ(kinds.size(), 3U);
  EXPECT_NEAR(log_sum, -2, 0.1);  // the middle of -3 … -1; sd of the mean 0.04
  EXPECT_NEAR(momentum_sum, 0.7, 0.03);
}

TEST(Sweep, MoreSamplesOrAnotherAxisChangeNoSample) {
  const auto rates = [](const std::string& yaml, const std::vector<std::string>& overrides = {}) {
    const Experiment experiment = expand(yaml, overrides);
    std::vector<std::string> found;
    for (const Trial* trial : trials(experiment, "net")) {
      found.push_back(trial->axes.at("net.optimizer.lr") + trial->axes.at("kind"));
    }
    return found;
  };
  const std::vector<std::string> few = rates(sampled("4"));

  std::vector<std::string> many = rates(sampled("9"));
  many.resize(few.size());

  EXPECT_EQ(few, many);
  EXPECT_EQ(few, rates(sampled("4", "net.train.steps: [7, 8], ")));
  EXPECT_NE(few, rates(sampled("4"), {"sweep.seed=6"}));
}

TEST(Sweep, ARungContinuesTheOneBefore) {
  const Experiment experiment = expand(kRungs);

  const std::vector<const Trial*> nets = trials(experiment, "net");
  ASSERT_EQ(nets.size(), 6U);
  EXPECT_EQ(nets[0]->config["train.stop_after"], "2");
  EXPECT_FALSE(nets[0]->config.contains("init.continue_from"));
  EXPECT_EQ(nets[1]->config["train.stop_after"], "4");
  EXPECT_EQ(nets[1]->config["init.continue_from"], "@{" + nets[0]->id + "}");
  EXPECT_EQ(nets[1]->inputs.back(), nets[0]->id);
  EXPECT_EQ(nets[1]->first_step, 2);
  EXPECT_EQ(nets[1]->steps, 2);
  EXPECT_FALSE(nets[2]->config.contains("train.stop_after"));
  EXPECT_EQ(nets[2]->steps, 5);
  EXPECT_EQ(trials(experiment, "set").size(), 1U);
  EXPECT_EQ(trials(experiment, "scores").size(), 6U);
}

TEST(Sweep, TheLastRungIsTheTrialOfTheGrid) {
  std::string grid = kRungs;
  grid.resize(grid.find("  asha:"));

  const Experiment whole = expand(grid), halved = expand(kRungs);

  ASSERT_EQ(trials(whole, "net").size(), 2U);
  EXPECT_EQ(trials(whole, "net")[0]->id, trials(halved, "net")[2]->id);
  EXPECT_EQ(trials(whole, "net")[1]->id, trials(halved, "net")[5]->id);
  EXPECT_EQ(trials(whole, "scores")[1]->id, trials(halved, "scores")[5]->id);
}

TEST(Sweep, MistakesAreNamedBeforeAnyWork) {
  const auto error = [](const std::string& from, const std::string& to) {
    std::string yaml = kRungs;
    yaml.replace(yaml.find(from), from.size(), to);
    return error_of([&] { expand(yaml); });
  };
  const auto expect = [](const std::string& found, const std::string& wanted) {
    EXPECT_NE(found.find(wanted), std::string::npos) << found;
  };

  expect(error("[2, 4, 9]", "[2, 4, 8]"),
         "exp.yaml:10: sweep.asha.rungs: wanted the last to be "
         "train.steps of the stage 'net', 9, found 8");
  expect(error("[2, 4, 9]", "[4, 2, 9]"), "wanted two or more ascending numbers of steps");
  expect(error("eta: 2", "eta: 1"), "asha.eta: wanted >= 2, found 1");
  expect(error("eta: 2", "et: 2"), "a sweep has no key 'asha.et'; did you mean 'asha.eta'?");
  expect(error("stage: scores", "stage: score"),
         "there is no stage 'score'; did you mean 'scores'?");
  expect(error("stage: scores", "stage: net"), "'net' is a stage of command fit");
  expect(error("{stage: net,", "{stage: set,"), "make has no key 'train.stop_after'");
  expect(error(", key: dsc", ""), "metric.key: wanted the place of a number");
  expect(error("key: dsc}", "key: dsc}\n  repeats: seed"), "repeats: no axis 'seed'");
  expect(error("steps: 9", "steps: 9, stop_after: 3"), "train.stop_after is chosen by sweep.asha");
  expect(error("axes: {", "axes: {rung: [1], "), "'rung' is the axis of its rungs");
  expect(error("sweep:", "table: {}\nsweep:"), "leave out the section 'table'");
  expect(error("[0.1, 0.2]", "{uniform: [0.1, 0.2]}"),
         "a range is drawn from: wanted sweep.samples");
  expect(error("[0.1, 0.2]", "{uniform: [0.2, 0.1]}"), "wanted low < high, found [0.2, 0.1]");
  expect(error("[0.1, 0.2]", "{log_uniform: [0, 0.1]}"), "wanted 0 < low < high");
  expect(error("[0.1, 0.2]", "{normal: [0, 0.1]}"), "{log_uniform: [low, high]}");
  expect(error("[0.1, 0.2]", "{values: [1], when: {net.note: a}}"),
         "no axis 'net.note' stands above");
  expect(error("axes: {", "axes: {net.note: [a], net.seed: {values: [1], when: {net.note: b}}, "),
         "the axis 'net.note' has no setting 'b'");
  expect(error("axes: {", "axes: {net.note: [a], s: {values: [1], when: {net.note: a}}, "),
         "only an axis named stage.key may be left out");
  expect(error("asha: {stage: net,", "asha: {"), "asha.stage: there is no stage ''");
  expect(error_of([] { expand(kRungs, {"sweep.asha.eta=x"}); }), "asha.eta: wanted an integer");
}

TEST(Sweep, ASampledAxisIsGatheredOnlyAsARepeat) {
  const auto yaml = [](const std::string& repeats) {
    return "{name: n, axes: {seed: [0, 1], net.optimizer.lr: [1, 2]}, stages: {net: {command: fit, "
           "seed: \"${seed}\"}, all: {command: fit, data: \"${net[seed]}\"}, scores: {command: "
           "score, in: \"${all}\"}, each: {command: score, in: \"${net}\"}}, sweep: {metric: "
           "{stage: each, key: dsc}, " +
           repeats + "samples: 2}}";
  };

  EXPECT_NE(error_of([&] { expand(yaml("")); }).find("name it in sweep.repeats"),
            std::string::npos);
  EXPECT_EQ(error_of([&] { expand(yaml("repeats: [seed], ")); }), "");
}

class Ranked : public ::testing::Test {
 protected:
  void open(const std::string& yaml) {
    experiment_ = expand(yaml);
    store_.open(experiment_, false);
    store_.plan(experiment_, false);
  }
  /// The rows of the ranking as "axes value …".
  std::vector<std::string> rows() const {
    std::vector<std::string> found;
    const Json ranking = ranking_tables(store_).json;
    for (const Json& one : ranking["configurations"]) {
      found.push_back(to_string(one["axes"].get<AxisValues>()) + " " + one["values"].dump() +
                      one["missing"].get<std::string>());
    }
    return found;
  }

  TemporaryFolder folder_;
  TrialStore store_{folder_.path() / "exp"};
  Experiment experiment_;
};

constexpr const char* kGrid = R"(
name: grid
axes: {net.optimizer.lr: [1, 2, 3], seed: [0, 1]}
stages:
  net: {command: fit, seed: "${seed}"}
  scores: {command: score, in: "${net}"}
sweep:
  metric: {stage: scores, key: cases.1.dsc, goal: min}
  repeats: [seed]
)";

TEST_F(Ranked, AConfigurationIsTheMeanOfItsRepeats) {
  open(kGrid);
  const std::map<std::string, std::vector<double>> values{{"1", {4, 8}}, {"2", {3, 5}}, {"3", {1}}};
  for (const Trial* trial : trials(experiment_, "scores")) {
    const std::vector<double>& own = values.at(trial->axes.at("net.optimizer.lr"));
    const std::size_t seed = trial->axes.at("seed") == "0" ? 0 : 1;
    if (seed < own.size()) {
      finish(store_, *trial, Json{{"cases", {{{"dsc", 0}}, {{"dsc", own[seed]}}}}}.dump());
    }
  }

  EXPECT_EQ(rows(),
            (std::vector<std::string>{"net.optimizer.lr=2 [4.0]", "net.optimizer.lr=1 [6.0]",
                                      "net.optimizer.lr=3 [null]not done yet"}));
}

TEST_F(Ranked, AnOutputWithoutTheMetricIsNamed) {
  open(kGrid);
  for (const Trial* trial : trials(experiment_, "scores")) {
    finish(store_, *trial, R"({"cases": [], "n": 3})");
  }

  const std::string error = error_of([&] { (void)ranking_tables(store_); });
  EXPECT_NE(error.find("scores.json: sweep.metric.key: wanted a number at 'cases.1.dsc', found "
                       "cases, n"),
            std::string::npos)
      << error;
}

}  // namespace
}  // namespace hepar::test
