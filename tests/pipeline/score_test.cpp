#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/core/json.h>
#include <hepar/pipeline/cuts.h>
#include <hepar/pipeline/score_command.h>

#include <cmath>
#include <filesystem>

#include "staging_tables.h"

namespace hepar {
namespace {

using Lines = std::vector<std::string>;

class Score : public ::testing::Test {
 protected:
  Score() { config_.options.bootstrap.draws = 200; }
  Json scored(const Lines& lines) {
    config_.scores = tables_.write("s.csv", lines);
    return score(config_);
  }
  test::Tables tables_;
  ScoreConfig config_;
};

TEST_F(Score, WritesTheInterfaceThatScriptsRelyOn) {
  config_.scores = tables_.write("s.csv", {"case,stage,q4,q1", "a,1,0.2,0.5", "b,2,0.6,0.4",
                                           "c,3,0.4,0.6", "d,4,0.5,0.1", "e,4,0.9,0.1"});
  config_.out = tables_.path("m.json");
  config_.fused = tables_.path("fused.csv");
  run_score_command(config_, true);
  EXPECT_FALSE(std::filesystem::exists(config_.out));
  run_score_command(config_, false);
  const Json document = read_json(config_.out);

  const Json& cirrhosis = document["cirrhosis"];
  EXPECT_DOUBLE_EQ(cirrhosis["auc"], 5.0 / 6);  // of 2 x 3 pairs only (d, b) is lost
  EXPECT_EQ(cirrhosis["positive"], "S4");
  EXPECT_EQ(cirrhosis["n_pos"], 2);
  EXPECT_EQ(cirrhosis["n_neg"], 3);
  EXPECT_EQ(cirrhosis["threshold"], "q4 >= 0.5");
  EXPECT_DOUBLE_EQ(cirrhosis["acc"], 0.8);  // b is called; d, at 0.5, too
  for (const char* key : {"auc_delong_ci", "auc_bootstrap_ci", "acc_wilson_ci"}) {
    EXPECT_EQ(cirrhosis[key].size(), 2U) << key;
    EXPECT_LE(cirrhosis[key][0].get<double>(), cirrhosis[key][1].get<double>()) << key;
  }
  const Json& fibrosis = document["substantial_fibrosis"];
  EXPECT_DOUBLE_EQ(fibrosis["auc"], 3.0 / 4);
  EXPECT_DOUBLE_EQ(fibrosis["acc"], 0.8);  // c is called S1; a, at 0.5, too
  EXPECT_TRUE(fibrosis["auc_delong_ci"].is_null());
  EXPECT_EQ(document["official_s1"]["auc"], fibrosis["auc"]);
  EXPECT_EQ(document["n"], 5);
  EXPECT_TRUE(cirrhosis["acc_prior_corrected"].is_null());
  EXPECT_TRUE(document["thresholds"].is_null());
  EXPECT_EQ(document["bootstrap"]["seed"], 0);
  EXPECT_EQ(read_score_table({.scores = config_.fused}).patients.size(), 5U);
}

TEST_F(Score, DoesNotDependOnTheOrderOfRows) {
  Lines lines = test::cohort_lines({.patients = 40, .seeds = 2});
  const Json first = scored(lines);
  std::reverse(lines.begin() + 1, lines.end());

  EXPECT_EQ(scored(lines), first);
  EXPECT_EQ(first["substantial_fibrosis"]["auc"], first["official_s1"]["auc"]) << "to the last bit";
}

TEST_F(Score, SaturatedScoresKeepTheirOrder) {
  const Json document = scored({"case,stage,q4,q1", "a,1,0.1,1e-17", "b,2,0.1,1e-20",
                                "c,3,0.1,1e-19", "d,1,0.1,0.9", "e,4,0.1,1e-18"});
  EXPECT_EQ(document["substantial_fibrosis"]["auc"], 1.0);
  EXPECT_EQ(document["official_s1"]["auc"], 1.0);
}

TEST_F(Score, OneClassGroupsHaveCountsAndNoNumber) {
  const Json document =
      scored({"case,stage,q4,q1,vendor", "a,4,0.9,0.1,A", "b,1,0.2,0.8,A", "c,2,0.3,0.3,A",
              "d,4,0.8,0.1,A", "e,4,0.7,0.2,C", "f,4,0.4,0.2,C"});

  const Json& one = document["groups"]["OOD"];
  EXPECT_EQ(one, document["groups"]["domains"]["C"]);
  for (const char* key : {"auc", "auc_delong_ci", "auc_bootstrap_ci", "mcc", "specificity"}) {
    EXPECT_TRUE(one["cirrhosis"][key].is_null()) << key;
  }
  EXPECT_EQ(one["cirrhosis"]["n_pos"], 2);
  EXPECT_EQ(one["cirrhosis"]["n_neg"], 0);
  EXPECT_EQ(one["cirrhosis"]["acc"], 0.5);
  EXPECT_EQ(one["cirrhosis"]["undefined"][0], "auc: no negative case");
  EXPECT_EQ(document["groups"]["ID"]["n"], 4);
  EXPECT_EQ(document["groups"]["over_domains"]["cirrhosis"]["auc"]["n_undefined"], 1);
}

TEST_F(Score, FoldsAndSeedsAreToldApart) {
  // AUC of fold 0: 1 and 0 by seed; of fold 1: 1 and 0.5.
  const Json document = scored({"case,stage,q4,q1,fold,seed", "a,1,0.1,0.9,0,0", "b,4,0.9,0.1,0,0",
                                "c,1,0.2,0.9,1,0", "d,4,0.8,0.1,1,0", "a,1,0.7,0.9,0,1",
                                "b,4,0.3,0.1,0,1", "c,1,0.5,0.9,1,1", "d,4,0.5,0.1,1,1"});

  const Json& folds = document["folds"]["cirrhosis"]["auc"];
  EXPECT_DOUBLE_EQ(folds["mean"], 0.625);
  EXPECT_DOUBLE_EQ(folds["sd"], std::sqrt(0.6875 / 3));
  EXPECT_DOUBLE_EQ(folds["sd_over_folds"], 0.25 / std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(folds["sd_over_seeds"], 0.75 / std::sqrt(2.0));
  const Json& pooled = document["cirrhosis"];
  EXPECT_DOUBLE_EQ(pooled["auc"], (1 + 0.125) / 2);  // of seed 1 only d = c counts, half
  EXPECT_EQ(pooled["shown_seed"], 1);                // the lower of two in the middle
  EXPECT_DOUBLE_EQ(pooled["auc_sd_over_seeds"], 0.875 / std::sqrt(2.0));
  EXPECT_EQ(pooled["seeds"].size(), 2U);
}

TEST_F(Score, CutsOfAFoldDoNotSeeItsLabels) {
  const Json before = scored(test::cohort_lines({}))["thresholds"];
  bool others_changed = false;
  for (int fold = 0; fold < 5; ++fold) {
    const Json after = scored(test::cohort_lines({.label_shift_fold = fold}))["thresholds"];
    for (const char* question : {"cirrhosis", "substantial_fibrosis", "official_s1"}) {
      for (const char* rule : {"youden", "sensitivity_90"}) {
        const Json& was = before[question][rule][0]["thresholds"];
        const Json& is = after[question][rule][0]["thresholds"];
        const std::string own = "fold " + std::to_string(fold);
        ASSERT_FALSE(was[own].is_null());
        EXPECT_EQ(is[own], was[own]) << question << " " << rule << " " << own;
        others_changed = others_changed || is != was;
      }
    }
  }
  EXPECT_TRUE(others_changed) << "the labels were to be seen by the other folds";
}

TEST_F(Score, CutsOfATestComeFromTheFittingTableOnly) {
  config_.fit = tables_.write("oof.csv", test::cohort_lines({.patients = 40}));
  Lines test_lines{"case,stage,q4,q1", "t1,1,0.3,0.6", "t2,4,0.8,0.1", "t3,3,0.5,0.2"};
  const Json before = scored(test_lines);
  test_lines[1] = "t1,4,0.3,0.6";
  test_lines[2] = "t2,1,0.8,0.1";
  const Json after = scored(test_lines);

  for (const char* rule : {"youden", "sensitivity_90"}) {
    EXPECT_EQ(before["thresholds"]["cirrhosis"][rule][0]["thresholds"],
              after["thresholds"]["cirrhosis"][rule][0]["thresholds"]);
  }
  EXPECT_NE(before["cirrhosis"]["acc"], after["cirrhosis"]["acc"]);
  EXPECT_FALSE(before["cirrhosis"]["acc_prior_corrected"].is_null());
  EXPECT_THROW(scored(test::cohort_lines({.patients = 4})), DataError) << "patients of both";
}

TEST(Cuts, AreTheMiddlesThatTheirRulesName) {
  const RocSample apart{{0.1, 0.2, 0.6, 0.8}, {false, false, true, true}};
  EXPECT_DOUBLE_EQ(*fit_cut(CutRule::kYouden, apart), 0.4);
  const RocSample mixed{{0.1, 0.3, 0.5, 0.7}, {false, true, false, true}};
  EXPECT_DOUBLE_EQ(*fit_cut(CutRule::kYouden, mixed), 0.6);  // as good as 0.2, nearer to 0.5
  EXPECT_DOUBLE_EQ(*fit_cut(CutRule::kSensitivity90, mixed), 0.2);
  EXPECT_DOUBLE_EQ(*fit_cut(CutRule::kSensitivity90, {{0.1, 0.5, 0.7}, {true, false, true}}), 0.1);
  EXPECT_FALSE(fit_cut(CutRule::kYouden, {{0.1, 0.5}, {true, true}}).has_value());
  EXPECT_FALSE(fit_cut(CutRule::kYouden, {{0.5, 0.5}, {true, false}}).has_value());
}

TEST(Cuts, RecalibrationKeepsOrderAndCalls) {
  constexpr double kCut = 0.31;
  double last = -1;
  for (double p = 0; p <= 1; p += 1.0 / 64) {
    const double bent = recalibrated(p, kCut);
    EXPECT_GT(bent, last);
    EXPECT_EQ(bent >= 0.5, p >= kCut);
    last = bent;
  }
  EXPECT_EQ(recalibrated(0, kCut), 0);
  EXPECT_EQ(recalibrated(kCut, kCut), 0.5);
  EXPECT_EQ(recalibrated(1, kCut), 1);
  EXPECT_EQ(recalibrated(0, 0), 0);
}

TEST_F(Score, DomainAloneIsABaseline) {
  const Json document =
      scored({"case,stage,q4,q1,domain", "a,4,0.9,0.1,A", "b,4,0.9,0.1,A", "c,1,0.9,0.1,A",
              "d,1,0.9,0.1,B", "e,1,0.9,0.1,B", "f,4,0.9,0.1,B"});
  EXPECT_DOUBLE_EQ(document["domain_only"]["cirrhosis"]["auc"], 6.0 / 9);
  EXPECT_NE(document["domain_only"]["fitted_on"].get<std::string>().find("optimistic"),
            std::string::npos);
  EXPECT_EQ(document["cirrhosis"]["auc"], 0.5);
}

TEST_F(Score, StagesAreCalledByTheRuleThatIsNamed) {
  const Json two = scored({"case,stage,q4,q1", "a,1,0.1,0.8", "b,2,0.1,0.2", "c,4,0.7,0.2"});
  EXPECT_EQ(two["stages"]["mae_stages"], 0.0);  // equal shares: S2 before S3
  EXPECT_EQ(two["stages"]["rule"].begin().value(), 3);

  const Json own =
      scored({"case,stage,q4,q1,call", "a,1,0.1,0.8,2", "b,2,0.1,0.2,2", "c,4,0.7,0.2,2"});
  EXPECT_EQ(own["stages"]["mae_stages"], 1.0);
  EXPECT_EQ(own["stages"]["confusion"][3][1], 1);
}

TEST_F(Score, ComparisonsArePairedOverTheSamePatients) {
  const Lines base = test::cohort_lines({.patients = 40});
  config_.against = {
      tables_.write("same.csv", base),
      tables_.write("noisy.csv",
                    test::cohort_lines({.patients = 36, .random_seed = 2, .noise = 4}))};
  const Json comparisons = scored(base)["comparisons"];

  ASSERT_EQ(comparisons.size(), 4U);
  EXPECT_EQ(comparisons[0]["second"], "same");
  EXPECT_EQ(comparisons[0]["auc_difference"], 0.0);
  EXPECT_EQ(comparisons[0]["delong_p"], 1.0);
  EXPECT_EQ(comparisons[0]["mcnemar_p"], 1.0);
  EXPECT_EQ(comparisons[1]["n"], 36);
  EXPECT_EQ(comparisons[1]["n_only_first"], 4);
  EXPECT_GT(comparisons[1]["auc_difference"].get<double>(), 0);
  EXPECT_DOUBLE_EQ(comparisons[1]["delong_holm_p"].get<double>(),
                   std::min(1.0, 2 * comparisons[1]["delong_p"].get<double>()));

  config_.against = {tables_.write("seeds.csv", test::cohort_lines({.patients = 40, .seeds = 2}))};
  EXPECT_THROW(score(config_), DataError);
  config_.against = {tables_.write("other.csv", {"case,stage,q4,q1", "p100,2,0.1,0.2"})};
  EXPECT_NE(test::error_of<DataError>([&] { score(config_); }).find("case p100 has stage 1"),
            std::string::npos);
}

TEST_F(Score, OfSeveralSeedsTheMedianTestIsShown) {
  test::CohortSpec spec{.patients = 40, .seeds = 3, .random_seed = 3};
  const Lines base = test::cohort_lines(spec);
  spec.noise = 3;
  config_.against = {tables_.write("noisy.csv", test::cohort_lines(spec))};
  const Json shown = scored(base)["comparisons"][0];

  const auto of_seed = [&](int seed) {
    const auto only = [&](const Lines& lines) {
      Lines kept{lines.front()};
      std::copy_if(lines.begin() + 1, lines.end(), std::back_inserter(kept),
                   [&](const std::string& line) { return line.back() == '0' + seed; });
      return kept;
    };
    config_.against = {tables_.write("one.csv", only(test::cohort_lines(spec)))};
    return scored(only(base))["comparisons"][0];
  };
  for (const char* key : {"delong_p", "mcnemar_p"}) {
    std::vector<double> p{of_seed(0)[key], of_seed(1)[key], of_seed(2)[key]};
    std::sort(p.begin(), p.end());
    EXPECT_LT(p[0], p[1]) << "seeds must differ for the test to say something";
    EXPECT_EQ(shown[key], p[1]) << key;
  }
  double difference = 0;
  for (int seed = 0; seed < 3; ++seed) {
    difference += of_seed(seed)["auc_difference"].get<double>() / 3;
  }
  EXPECT_NEAR(shown["auc_difference"], difference, 1e-12);
}

TEST_F(Score, ViewsTellWhatEachSequenceSays) {
  const Json views = scored({"case,sequence,stage,q4,q1,vendor,fallback", "a,T1,1,0.1,0.9,A,",
                             "b,T1,4,0.9,0.1,A,1", "c,T1,2,0.4,0.2,A,", "a,GED4,1,0.6,0.9,A,",
                             "b,GED4,4,0.5,0.1,A,", "d,GED4,4,0.8,0.3,C,1"})["views"];

  EXPECT_EQ(views["sequences"]["T1"]["cirrhosis"]["auc"], 1.0);
  EXPECT_EQ(views["sequences"]["T1"]["n"], 3);
  EXPECT_EQ(views["sequences"]["GED4"]["cirrhosis"]["auc"], 0.5);
  EXPECT_EQ(views["contrast"]["cirrhosis"]["auc"], 0.5);
  EXPECT_EQ(views["non_contrast"]["sequences"], Json::array({"T1"}));
  EXPECT_EQ(views["mean_single_sequence_auc"]["cirrhosis"], 0.75);
  EXPECT_EQ(views["fused"]["cirrhosis"]["auc"], 1.0);
  EXPECT_EQ(views["removed_at_random"].size(), 6U);
  EXPECT_EQ(views["removed_at_random"][0]["cirrhosis"]["mean"], 1.0);
  EXPECT_LT(views["removed_at_random"][1]["cirrhosis"]["mean"].get<double>(), 1.0);
  EXPECT_EQ(views["fallback_vois"]["T1"]["A"]["fallbacks"], 1);
  EXPECT_EQ(views["fallback_vois"]["GED4"]["C"]["n"], 1);
}

TEST_F(Score, FusedScoresAreATableOfTheirOwn) {
  config_.scores = tables_.write(
      "s.csv", {"case,sequence,stage,q4,q1,p1,p2,p3,p4", "a,T1,1,0.25,0.5,0.5,0.25,0,0.25",
                "a,T2,1,0.5,0.25,0.25,0.25,0,0.5"});
  config_.cases = tables_.write("cases.csv", {"case,stage", "a,1", "b,4"});
  config_.train_prior = {1, 1, 1, 1};
  config_.out = tables_.path("m.json");
  config_.fused = tables_.path("fused.csv");
  run_score_command(config_, false);
  const Json first = read_json(config_.out);
  EXPECT_EQ(first["from_prior"], Json::array({"b"}));

  const ViewTable fused = read_score_table({.scores = config_.fused});
  EXPECT_EQ(fused.views[0][0].at("").q4, 0.375);
  EXPECT_EQ((*fused.views[0][0].at("").stages)[0], 0.375);
  config_.scores = config_.fused;
  config_.fused.clear();
  const Json again = score(config_);
  for (const char* key : {"cirrhosis", "official_s1", "stages", "from_prior"}) {
    EXPECT_EQ(again[key], first[key]) << key;
  }
}

}  // namespace
}  // namespace hepar
