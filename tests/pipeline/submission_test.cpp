#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/pipeline/submission.h>

#include "staging_tables.h"

namespace hepar {
namespace {

using Lines = std::vector<std::string>;

class Submission : public ::testing::Test {
 protected:
  std::string written(const std::string& year, const Lines& lines) {
    config_.year = year;
    config_.scores = tables_.write("s.csv", lines);
    config_.out = tables_.path("LiFS_pred.csv");
    run_submission_command(config_, false);
    return read_text(config_.out);
  }
  std::string check_error(const std::string& year, const Lines& lines) {
    config_ = {};
    config_.year = year;
    config_.cases = cases_;
    const std::string file = tables_.write("c.csv", lines);
    return test::error_of<DataError>([&] { check_submission(config_, file); });
  }
  test::Tables tables_;
  SubmissionConfig config_;
  std::string cases_;
};

const Lines kPerSequence{
    "case,sequence,q4,q1,p1,p2,p3,p4", "0002-A,T1,0.25,0.5,0.5,0.125,0.125,0.25",
    "0001-A,DWI_800,0.5,0,0,0.25,0.25,0.5", "0001-A,T1,0.25,0.25,0.25,0.25,0.25,0.25",
    "0001-A,GED4,0.75,0.125,0.125,0.125,0,0.75"};

TEST_F(Submission, Of2024HasTwoScoresACase) {
  EXPECT_EQ(written("2024", kPerSequence),
            "Case,Task1_prob_S4,Task2_prob_S1\n"
            "0001-A,0.500000000,0.125000000\n"
            "0002-A,0.250000000,0.500000000\n");
}

TEST_F(Submission, Of2025HasBothSettings) {
  EXPECT_EQ(written("2025", kPerSequence),
            "Case,Setting,Subtask1_prob_S4,Subtask2_prob_S1\n"
            "0001-A,Contrast,0.500000000,0.125000000\n"
            "0002-A,Contrast,0.250000000,0.500000000\n"
            "0001-A,NonContrast,0.375000000,0.125000000\n"
            "0002-A,NonContrast,0.250000000,0.500000000\n");
}

TEST_F(Submission, Of2026HasFourProbabilitiesAndTheSequencesUsed) {
  EXPECT_EQ(written("2026", kPerSequence),
            "Case,Modality Input,S1,S2,S3,S4\n"
            "0001-A,\"DWI, T1, GED4\",0.125000000,0.208333333,0.166666667,0.500000000\n"
            "0002-A,T1,0.500000000,0.125000000,0.125000000,0.250000000\n");
}

TEST_F(Submission, HeadsOfTwoScoresSayHowTheyFilledFour) {
  config_.scores = tables_.write("s.csv", {"case,q4,q1", "a,0.4,0.3", "b,0.8,0.8"});
  config_.out = "unused";
  config_.modality = {"GED4", "T1"};
  config_.train_prior = {97, 60, 30, 167};
  const SubmissionText text = submission_text(config_);

  EXPECT_NE(text.csv.find("a,\"T1, GED4\",0.300000000,0.200000000,0.100000000,0.400000000\n"),
            std::string::npos)
      << text.csv;
  ASSERT_EQ(text.summary.notes.size(), 2U);
  EXPECT_NE(text.summary.notes[0].find("2 case(s): the head has no four probabilities"),
            std::string::npos);
  EXPECT_NE(text.summary.notes[1].find("1 case(s) with q1 + q4 > 1"), std::string::npos);

  config_.modality.clear();
  EXPECT_THROW(submission_text(config_), ConfigError);
}

TEST_F(Submission, EveryCaseGetsAnAnswer) {
  config_.cases = tables_.write("cases.csv", {"case", "0001-A", "0002-A", "0003-C"});
  EXPECT_THROW(written("2024", kPerSequence), ConfigError) << "no prior to answer with";
  config_.train_prior = {1, 1, 1, 1};
  EXPECT_NE(written("2024", kPerSequence).find("0003-C,0.250000000,0.250000000\n"),
            std::string::npos);
}

TEST_F(Submission, RecalibrationPutsTheFittedCutAtOneHalf) {
  config_.recalibrate = "youden";
  EXPECT_THROW(written("2024", {"case,q4,q1", "t,0.3,0.2"}), ConfigError) << "no --fit";
  config_.fit = tables_.write(
      "oof.csv", {"case,stage,q4,q1", "a,1,0.1,0.6", "b,1,0.2,0.9", "c,4,0.4,0.2", "d,4,0.9,0.2"});

  EXPECT_EQ(written("2024", {"case,q4,q1", "t,0.3,0.2"}),
            "Case,Task1_prob_S4,Task2_prob_S1\nt,0.500000000,0.250000000\n");
}

TEST_F(Submission, ScoresOfSeedsAreAveraged) {
  EXPECT_EQ(written("2024", {"case,q4,q1,seed", "a,0.5,0.25,0", "a,0.75,0.5,1"}),
            "Case,Task1_prob_S4,Task2_prob_S1\na,0.625000000,0.375000000\n");
}

TEST_F(Submission, CheckerNamesEveryProblem) {
  EXPECT_NE(
      check_error("2024", {"Case,prob", "a,0.1"}).find("c.csv:1: wanted the header 'Case,Task1"),
      std::string::npos);
  cases_ = tables_.write("cases.csv", {"case", "a", "b", "z"});
  const std::string found =
      check_error("2025", {"Case,Setting,Subtask1_prob_S4,Subtask2_prob_S1", "a,Contrast,0.1,0.2",
                           "a,Contrast,0.1,0.2", "b,contrast,0.1,0.2", "q,NonContrast,1.5,nan"});
  for (const char* text :
       {"c.csv:3: case a, Contrast is already in line 2", "c.csv:4: column Setting",
        "c.csv:5: column Subtask1_prob_S4: wanted a probability from 0 to 1, found '1.5'",
        "c.csv:5: column Subtask2_prob_S1", "c.csv:5: case q is not in ",
        "case a: wanted a row NonContrast", "wanted a row for case z"}) {
    EXPECT_NE(found.find(text), std::string::npos) << text << "\n" << found;
  }
  const std::string four =
      check_error("2026", {"Case,Modality Input,S1,S2,S3,S4", "a,\"T1, T2\",0.1,0.2,0.3,0.3",
                           "b,,0,0,0,1", "z,T1,0.25,0.25,0.25,0.25"});
  EXPECT_NE(four.find("c.csv:2: columns S1 to S4: wanted a sum of 1, found 0.9"),
            std::string::npos);
  EXPECT_NE(four.find("c.csv:3: column Modality Input"), std::string::npos);
  EXPECT_EQ(four.find("c.csv:4"), std::string::npos);
}

}  // namespace
}  // namespace hepar
