#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/pipeline/fusion.h>

#include <cmath>

#include "staging_tables.h"

namespace hepar {
namespace {

using Lines = std::vector<std::string>;

FusionFit no_fit(std::size_t patients) {
  return {.priors = std::vector<std::optional<StagePrior>>(patients), .weights = {}};
}

class Fusion : public ::testing::Test {
 protected:
  ViewTable read(const Lines& lines) const {
    return read_score_table({.scores = tables_.write("s.csv", lines)});
  }
  test::Tables tables_;
};

const Lines kThreeSequences{"case,sequence,stage,q4,q1,p1,p2,p3,p4",
                            "a,T1,4,0.2,0.5,0.5,0.2,0.1,0.2", "a,T2,4,0.3,0.1,0.1,0.3,0.3,0.3",
                            "a,GED4,4,0.9,0.05,0.05,0.05,0,0.9"};

TEST_F(Fusion, RulesAreTheirFormulas) {
  const ViewTable table = read(kThreeSequences);
  const auto q4 = [&](const std::string& rule) {
    return fuse(table, {.rule = rule, .sequences = {}}, no_fit(1)).scores[0][0].q4;
  };
  const auto log_odds = [](double p) { return std::log(p / (1 - p)); };

  EXPECT_NEAR(q4("mean"), (0.2 + 0.3 + 0.9) / 3, 1e-15);
  EXPECT_NEAR(q4("median"), 0.3, 1e-15);
  const double mean = (log_odds(0.2) + log_odds(0.3) + log_odds(0.9)) / 3;
  EXPECT_NEAR(q4("logit"), 1 / (1 + std::exp(-mean)), 1e-15);
}

TEST_F(Fusion, FourColumnsSurviveTheMeanOnly) {
  const ViewTable table = read(kThreeSequences);

  const StageScore fused = fuse(table, {}, no_fit(1)).scores[0][0];
  EXPECT_NEAR((*fused.stages)[1], (0.2 + 0.3 + 0.05) / 3, 1e-15);
  EXPECT_FALSE(fuse(table, {.rule = "logit", .sequences = {}}, no_fit(1)).scores[0][0].stages);
}

TEST_F(Fusion, SubsetsTakeTheSequencesNamed) {
  const ViewTable table = read(kThreeSequences);
  const FusionConfig plain{.rule = "mean", .sequences = {"T1", "T2"}};

  EXPECT_NEAR(fuse(table, plain, no_fit(1)).scores[0][0].q4, 0.25, 1e-15);
  EXPECT_NE(test::error_of<ConfigError>([&] {
              fuse(table, {.rule = "mean", .sequences = {"GED"}}, no_fit(1));
            }).find("did you mean 'GED4'?"),
            std::string::npos);
}

TEST_F(Fusion, PatientsWithoutASequenceGetThePriorAndAFlag) {
  const ViewTable table = read({"case,sequence,stage,q4,q1", "a,T1,1,0.2,0.5", "b,T2,4,0.9,0.1"});
  const FusionConfig plain{.rule = "mean", .sequences = {"T1"}};
  FusionFit fit = no_fit(2);
  EXPECT_NE(test::error_of<ConfigError>([&] { fuse(table, plain, fit); }).find("case b"),
            std::string::npos);

  fit.priors[1] = StagePrior{0.1, 0.2, 0.3, 0.4};
  const PatientTable fused = fuse(table, plain, fit);
  EXPECT_EQ(fused.scores[0][1].q4, 0.4);
  EXPECT_EQ(fused.scores[0][1].q1, 0.1);
  EXPECT_EQ(fused.from_prior, (std::vector<bool>{false, true}));
}

/// T1 ranks cirrhosis perfectly, T2 upside down; fold 1's own labels must not matter to fold 1.
Lines weighted_lines(bool swap_held_out) {
  Lines lines{"case,sequence,stage,q4,q1,fold"};
  for (int i = 0; i < 8; ++i) {
    const int fold = i / 4;
    const bool cirrhosis = (i % 2 == 1) != (swap_held_out && fold == 1);
    const std::string head = "p" + std::to_string(i) + ",";
    const std::string stage = cirrhosis ? ",4," : ",1,";
    const std::string tail = "," + std::to_string(fold);
    lines.push_back(head + "T1" + stage + (i % 2 == 1 ? "0.8,0.2" : "0.1,0.7") + tail);
    lines.push_back(head + "T2" + stage + (i % 2 == 1 ? "0.3,0.5" : "0.6,0.5") + tail);
  }
  return lines;
}

TEST_F(Fusion, WeightsAreFittedOnOtherFoldsOnly) {
  const auto weights_of = [&](bool swap) {
    const ViewTable table = read(weighted_lines(swap));
    return fit_weights(table, make_fit_plan(table.patients, nullptr), table)[0];
  };
  const auto plain = weights_of(false);
  const auto swapped = weights_of(true);

  EXPECT_EQ(plain[4].at("T1").q4, 0.5);  // AUC 1
  EXPECT_EQ(plain[4].at("T2").q4, 0.0);  // AUC 0
  EXPECT_EQ(plain[4].at("T2").q1, 0.0);  // AUC 0.5
  EXPECT_EQ(swapped[4].at("T1").q4, 0.5) << "patients of fold 1 saw the labels of fold 1";
  EXPECT_EQ(swapped[0].at("T1").q4, 0.0) << "patients of fold 0 learn from fold 1";

  const ViewTable table = read(weighted_lines(false));
  FusionFit fit = no_fit(table.patients.size());
  const FusionConfig weighted{.rule = "auc_weighted", .sequences = {}};
  EXPECT_THROW(fuse(table, weighted, fit), ConfigError);
  fit.weights = fit_weights(table, make_fit_plan(table.patients, nullptr), table);
  EXPECT_EQ(fuse(table, weighted, fit).scores[0][1].q4, 0.8);
}

TEST_F(Fusion, RemovalLeavesOneSequenceAndIsTheSameEveryTime) {
  const ViewTable table = read(kThreeSequences);
  for (const std::int64_t count : {0, 1, 2, 5}) {
    const ViewTable left = remove_sequences(table, {.count = count, .draw = 3, .seed = 1});
    const ViewTable again = remove_sequences(table, {.count = count, .draw = 3, .seed = 1});

    EXPECT_EQ(left.views[0][0].size(),
              static_cast<std::size_t>(std::max<std::int64_t>(1, 3 - count)));
    EXPECT_EQ(left.sequences(), again.sequences());
  }
}

TEST(CrossFit, FoldsLearnFromTheOthersAndOutsidersFromAll) {
  const std::vector<ScoredPatient> patients{
      {"a", 1, "A", 0}, {"b", 4, "B", 1}, {"c", 4, "B", 1}, {"d", 2, "A", 2}};
  const FitPlan plan = make_fit_plan(patients, nullptr);

  ASSERT_EQ(plan.groups.size(), 3U);
  EXPECT_EQ(plan.groups[1].name, "fold 1");
  EXPECT_EQ(plan.groups[1].applied_to, (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(plan.groups[1].fitted_on, (std::vector<std::size_t>{0, 3}));
  const auto priors = fitted_priors(patients, plan, patients);
  EXPECT_EQ(*priors[1], (StagePrior{0.5, 0.5, 0, 0}));

  const std::vector<ScoredPatient> outside{{"e", 3, "C", std::nullopt}};
  EXPECT_EQ(make_fit_plan(outside, &patients).groups[0].fitted_on.size(), 4U);
  EXPECT_THROW(make_fit_plan({patients[0]}, &patients), DataError);
  EXPECT_TRUE(make_fit_plan(outside, nullptr).groups.empty());
}

TEST(CrossFit, LeaveOneDomainOutNeedsEveryStageElsewhere) {
  std::vector<ScoredPatient> patients{
      {"a", 1, "A", 0}, {"b", 4, "A", 0}, {"c", 1, "B", 0}, {"d", 4, "B", 0}};
  const auto groups = leave_one_domain_out(patients);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[1].name, "B");
  EXPECT_EQ(groups[1].fitted_on, (std::vector<std::size_t>{0, 1}));

  patients[1].stage = 2;
  EXPECT_NE(test::error_of<DataError>([&] {
              leave_one_domain_out(patients);
            }).find("without A no patient of stage 2 is left"),
            std::string::npos);
}

TEST(CrossFit, PriorsShiftScoresByBayesRule) {
  const PriorShift shift{.train = {0.25, 0.15, 0.1, 0.5}, .sampler = {0.25, 0.25, 0.25, 0.25}};

  // Odds 1 : 1 become 0.5 : 0.5 over 0.25 : 0.75, that is 2 : 2/3.
  EXPECT_NEAR(corrected({.q4 = 0.5, .q1 = 0.5}, shift).q4, 0.75, 1e-15);
  EXPECT_NEAR(corrected({.q4 = 0.5, .q1 = 0.5}, shift).q1, 0.5, 1e-15);
  const StageScore four =
      corrected({.q4 = 0.4, .q1 = 0.2, .stages = StageProbabilities{0.2, 0.2, 0.2, 0.4}}, shift);
  EXPECT_NEAR(four.q4, 0.4 * 2 / (0.2 + 0.12 + 0.08 + 0.8), 1e-15);
  EXPECT_THROW(prior_of({1, 2, 3}, "train_prior"), ConfigError);
}

TEST(CrossFit, FourColumnsSayWhereTheyCameFrom) {
  const StagePrior prior{0.3, 0.2, 0.1, 0.4};

  const FourColumns two = four_columns({.q4 = 0.4, .q1 = 0.3}, prior);
  EXPECT_TRUE(two.by_rule);
  EXPECT_NEAR(two.stages[1], 0.2, 1e-15);
  EXPECT_NEAR(two.stages[2], 0.1, 1e-15);
  EXPECT_NEAR(four_columns({.q4 = 0.4, .q1 = 0.3}, {}).stages[1], 0.15, 1e-15);
  const FourColumns over = four_columns({.q4 = 0.9, .q1 = 0.6}, prior);
  EXPECT_TRUE(over.overflowed);
  EXPECT_NEAR(over.stages[3], 0.6, 1e-15);
  EXPECT_EQ(over.stages[1], 0);
}

}  // namespace
}  // namespace hepar
