#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/core/json.h>
#include <hepar/pipeline/auc_bootstrap.h>
#include <hepar/pipeline/calibration.h>
#include <hepar/pipeline/call_metrics.h>
#include <hepar/pipeline/roc.h>

#include <algorithm>
#include <cmath>

namespace hepar {
namespace {

using Values = std::vector<double>;
constexpr double kTolerance = 1e-9;

const Json& vectors() {
  static const Json kVectors = read_json(HEPAR_TEST_VECTORS "/staging_statistics.json");
  return kVectors;
}

void expect_equal(const std::optional<double>& found, const Json& wanted, const char* what) {
  ASSERT_EQ(found.has_value(), !wanted.is_null()) << what;
  if (found) {
    const double value = wanted.get<double>();
    EXPECT_NEAR(*found, value, kTolerance * std::max(1.0, std::abs(value))) << what;
  }
}

void expect_equal(const std::optional<Interval>& found, const Json& wanted, const char* what) {
  expect_equal(found ? std::optional(found->low) : std::nullopt,
               wanted.is_null() ? wanted : wanted[0], what);
  expect_equal(found ? std::optional(found->high) : std::nullopt,
               wanted.is_null() ? wanted : wanted[1], what);
}

std::vector<bool> is_stage(const Json& stages, int stage) {
  std::vector<bool> truth;
  for (const Json& value : stages) {
    truth.push_back(value.get<int>() == stage);
  }
  return truth;
}

std::vector<bool> at_least_half(const Values& scores) {
  std::vector<bool> called(scores.size());
  std::transform(scores.begin(), scores.end(), called.begin(), [](double s) { return s >= 0.5; });
  return called;
}

void expect_question(const RocSample& sample, const std::vector<bool>& called, const Json& wanted) {
  const AucEstimate estimate = delong(sample);
  expect_equal(estimate.auc, wanted["auc"], "auc");
  expect_equal(estimate.variance, wanted["var"], "DeLong variance");
  expect_equal(estimate.interval, wanted["ci"], "DeLong interval");
  EXPECT_EQ(estimate.undefined.empty(), estimate.variance.has_value());
  const CallCounts counts = count_calls(called, sample.positive);
  expect_equal(accuracy(counts), wanted["acc"], "acc");
  const Share right{.successes = counts.true_positives + counts.true_negatives,
                    .of = called.size()};
  expect_equal(wilson(right), wanted["wilson"], "wilson");
  expect_equal(sensitivity(counts), wanted["sens"], "sensitivity");
  expect_equal(specificity(counts), wanted["spec"], "specificity");
  expect_equal(balanced_accuracy(counts), wanted["bacc"], "balanced accuracy");
  expect_equal(f1(counts), wanted["f1"], "f1");
  expect_equal(matthews(counts), wanted["mcc"], "mcc");
  expect_equal(brier(sample), wanted["brier"], "brier");
  expect_equal(expected_calibration_error(reliability(sample, 5)), wanted["ece"], "ece");
  const CalibrationLine line = calibration_line(sample);
  expect_equal(line.intercept, wanted["intercept"], "calibration intercept");
  expect_equal(line.slope, wanted["slope"], "calibration slope");
  EXPECT_EQ(line.undefined.empty(), line.slope.has_value());
}

TEST(StagingStatistics, QuestionsOfRandomTablesAreSklearnsAndStatsmodels) {
  ASSERT_EQ(vectors()["tables"].size(), 100U);
  for (std::size_t i = 0; i < vectors()["tables"].size(); ++i) {
    SCOPED_TRACE("table " + std::to_string(i));
    const Json& table = vectors()["tables"][i];
    const Values q4 = table["q4"];
    const Values q1 = table["q1"];
    const std::vector<bool> called_s1 = at_least_half(q1);

    expect_question({q4, is_stage(table["stage"], 4)}, at_least_half(q4), table["cirrhosis"]);
    expect_question({q1, is_stage(table["stage"], 1)}, called_s1, table["official_s1"]);

    RocSample fibrosis{q1, is_stage(table["stage"], 1)};
    std::vector<bool> called_fibrosis = called_s1;
    fibrosis.positive.flip();
    called_fibrosis.flip();
    for (double& score : fibrosis.scores) {
      score = std::round((1 - score) * 1e9) / 1e9;
    }
    expect_question(fibrosis, called_fibrosis, table["substantial_fibrosis"]);
  }
}

TEST(StagingStatistics, PairedTestsOfRandomTablesAreTheDefinitions) {
  for (std::size_t i = 0; i < vectors()["tables"].size(); ++i) {
    SCOPED_TRACE("table " + std::to_string(i));
    const Json& table = vectors()["tables"][i];

    const DeLongTest test = delong_test({table["q4"].get<Values>(), is_stage(table["stage"], 4)},
                                        table["other"].get<Values>());
    expect_equal(test.difference, table["delong"]["difference"], "difference");
    expect_equal(test.p, table["delong"]["p"], "p");
    const double p =
        mcnemar_exact({.first_only = table["mcnemar"][0], .second_only = table["mcnemar"][1]});
    EXPECT_NEAR(p, table["mcnemar"][2].get<double>(), kTolerance);
    const StageConfusion counts =
        confusion(table["stage"].get<std::vector<int>>(), table["called"].get<std::vector<int>>());
    expect_equal(quadratic_weighted_kappa(counts), table["kappa"], "kappa");
    expect_equal(stage_mae(counts), table["mae"], "mae");
  }
}

TEST(StagingStatistics, HolmAndNormalQuantilesAreStatsmodelsAndScipys) {
  const Json& wanted = vectors()["holm"];
  const Values adjusted = holm(wanted["p"].get<Values>());
  for (std::size_t i = 0; i < adjusted.size(); ++i) {
    EXPECT_NEAR(adjusted[i], wanted["adjusted"][i].get<double>(), kTolerance);
  }
  for (const Json& entry : vectors()["normal_quantile"]) {
    EXPECT_NEAR(normal_quantile(entry[0]), entry[1].get<double>(), kTolerance);
  }
}

TEST(StagingStatistics, AbsentClassesGiveNoNumber) {
  const AucEstimate one_class = delong({{0.1, 0.9}, {true, true}});
  EXPECT_FALSE(one_class.auc.has_value());
  EXPECT_EQ(one_class.n_pos, 2U);
  EXPECT_EQ(one_class.undefined, "no negative case");

  const AucEstimate single_positive = delong({{0.1, 0.9, 0.4}, {false, true, false}});
  EXPECT_EQ(single_positive.auc, 1.0);
  EXPECT_FALSE(single_positive.interval.has_value());

  EXPECT_FALSE(matthews(count_calls({true, false}, {true, true})).has_value());
  EXPECT_EQ(matthews(count_calls({true, true}, {true, false})), 0.0);
  EXPECT_THROW(delong({{0.1}, {true, false}}), ShapeError);
}

TEST(StagingStatistics, SeparatedScoresHaveNoCalibrationLine) {
  const CalibrationLine apart = calibration_line({{0.1, 0.2, 0.8}, {false, false, true}});
  EXPECT_NE(apart.undefined.find("separate"), std::string::npos);
  // Touching at one value is separation too: the likelihood rises with the slope for ever.
  EXPECT_FALSE(calibration_line({{0.1, 0.5, 0.5, 0.8}, {false, false, true, true}}).slope);
  EXPECT_EQ(calibration_line({{0.5, 0.5}, {false, true}}).undefined, "all scores are equal");
}

TEST(StagingStatistics, EqualScoresMakeTheOrderOfCasesIrrelevant) {
  const RocSample one{{0.2, 0.2, 0.2, 0.7, 0.7}, {true, false, false, true, false}};
  const RocSample other{{0.7, 0.2, 0.2, 0.7, 0.2}, {false, false, true, true, false}};

  EXPECT_DOUBLE_EQ(*expected_calibration_error(reliability(one, 2)),
                   *expected_calibration_error(reliability(other, 2)));
  EXPECT_DOUBLE_EQ(*auc(one), *auc(other));
}

SeededScores seeded(const Json& entry, const char* runs) {
  return {.scores = entry[runs].get<std::vector<Values>>(),
          .positive = is_stage(entry["stage"], 4),
          .stratum = entry["stage"].get<std::vector<int>>()};
}

TEST(StagingStatistics, BootstrapIntervalsAreTheOraclesToWithinTheDraws) {
  for (const Json& entry : vectors()["bootstrap"]) {
    const SeededScores runs = seeded(entry, "runs");
    const BootstrapOptions options{.draws = 2000};
    const auto interval = bootstrap_auc(runs, options);
    const auto difference = bootstrap_auc_difference(runs, seeded(entry, "others"), options);

    expect_equal(mean_auc(runs), entry["auc"], "mean AUC");
    // A 2.5 % quantile of 2,000 draws has a standard error of about 6 % of the draws' own spread.
    const double error = 4 * 0.065 * entry["sd"].get<double>();
    EXPECT_NEAR(interval->low, entry["interval"][0].get<double>(), error);
    EXPECT_NEAR(interval->high, entry["interval"][1].get<double>(), error);
    const double paired_error = 4 * 0.065 * entry["difference_sd"].get<double>();
    EXPECT_NEAR(difference->low, entry["difference_interval"][0].get<double>(), paired_error);
    EXPECT_NEAR(difference->high, entry["difference_interval"][1].get<double>(), paired_error);
  }
}

TEST(StagingStatistics, BootstrapDependsOnScoresAndSeedOnly) {
  const SeededScores runs = seeded(vectors()["bootstrap"][0], "runs");
  const BootstrapOptions options{.draws = 200, .seed = 3};

  EXPECT_EQ(bootstrap_auc(runs, options)->low, bootstrap_auc(runs, options)->low);
  EXPECT_NE(bootstrap_auc(runs, options)->low, bootstrap_auc(runs, {.draws = 200, .seed = 4})->low);
  const Interval none = bootstrap_auc_difference(runs, runs, options).value();
  EXPECT_EQ(none.low, 0);
  EXPECT_EQ(none.high, 0);
}

TEST(StagingStatistics, BootstrapRefusesWhatItCannotStratify) {
  SeededScores runs{.scores = {{0.1, 0.2}}, .positive = {true, false}, .stratum = {1, 1}};
  EXPECT_THROW(bootstrap_auc(runs, {}), ShapeError);
  runs.positive = {true, true};
  EXPECT_FALSE(bootstrap_auc(runs, {}).has_value());
}

}  // namespace
}  // namespace hepar
