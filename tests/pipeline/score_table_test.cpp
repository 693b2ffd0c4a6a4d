#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/pipeline/score_table.h>

#include "staging_tables.h"

namespace hepar {
namespace {

using Lines = std::vector<std::string>;

class ScoreTable : public ::testing::Test {
 protected:
  ViewTable read(const Lines& lines) const {
    return read_score_table({.scores = tables_.write("s.csv", lines)});
  }
  std::string error(const Lines& lines) const {
    return test::error_of<DataError>([&] { read(lines); });
  }
  void expect_error(const Lines& lines, const std::string& text) const {
    const std::string found = error(lines);
    EXPECT_NE(found.find(text), std::string::npos) << "wanted " << text << "\nfound " << found;
  }
  test::Tables tables_;
};

TEST_F(ScoreTable, ReadsPatientsSortedWithTheirOptionalColumns) {
  const ViewTable table = read({"Case,Stage,q4,q1,Vendor,fold,seed,p1,p2,p3,p4,call",
                                "b,S4,0.7,0.1,B1,1,2,0.1,0.1,0.1,0.7,3", "a,1,0,1,A,0,2,1,0,0,0,"});

  ASSERT_EQ(table.patients.size(), 2U);
  EXPECT_EQ(table.patients[0].id, "a");
  EXPECT_EQ(table.patients[1].stage, 4);
  EXPECT_EQ(table.patients[1].domain, "B1");
  EXPECT_EQ(table.patients[1].fold, 1);
  EXPECT_EQ(table.seeds, std::vector<std::int64_t>{2});
  const StageScore& score = table.views[0][1].at("");
  EXPECT_EQ(score.q4, 0.7);
  EXPECT_EQ(score.call, 3);
  EXPECT_EQ((*score.stages)[3], 0.7);
  EXPECT_EQ(table.views[0][0].at("").call, 0);
}

TEST_F(ScoreTable, ReportsEveryProblemWithLineAndColumn) {
  const std::string found =
      error({"case,stage,q4,q1", "a,1,nan,0.2", "b,5,0.1,0.2", "c,2,0.1,1.5", "d,2,,0.1",
             "a,1,0.1,0.1", ",2,0.1,0.1", "e,2,0.5x,0.1", "f,2,inf,0.1"});

  for (const char* text :
       {"s.csv:2: column q4: wanted a probability from 0 to 1, found 'nan'",
        "s.csv:3: column stage: wanted a stage from 1 to 4, found '5'",
        "s.csv:4: column q1: wanted a probability from 0 to 1, found '1.5'",
        "s.csv:5: column q4: wanted a probability from 0 to 1, found nothing",
        "s.csv:6: case a is already in ", "s.csv:7: column case: wanted a name, found nothing",
        "s.csv:8: column q4", "s.csv:9: column q4"}) {
    EXPECT_NE(found.find(text), std::string::npos) << text << "\n" << found;
  }
}

TEST_F(ScoreTable, RefusesPatientsThatContradictThemselves) {
  expect_error({"case,stage,q4,q1,seed,fold", "a,1,0.1,0.2,0,0", "a,1,0.1,0.2,1,1"},
               "case a, fold (a patient has one): wanted 0 as in");
  expect_error({"case,stage,q4,q1,seed", "a,1,0.1,0.2,0", "a,2,0.1,0.2,1"},
               "case a, stage: wanted 1 as in");
  expect_error({"case,stage,q4,q1,sequence,vendor", "a,1,0.1,0.2,T1,A", "a,1,0.1,0.2,T2,B1"},
               "case a, domain: wanted A as in");
  expect_error({"case,stage,q4,q1,seed", "a,1,0.1,0.2,0", "b,2,0.1,0.2,0", "b,2,0.1,0.2,1"},
               "case a: has no row for seed 1");
  expect_error({"case,stage,q4,q1,p1,p2,p3,p4", "a,1,0.1,0.2,0.2,0.2,0.2,0.1"},
               "wanted a sum of 1, found 0.7");
}

TEST_F(ScoreTable, RefusesTablesThatLackWhatIsNeeded) {
  expect_error({"case,stage,q4"}, "wanted rows");
  expect_error({"case,stage,q4", "a,1,0.1"}, "wanted a column 'q1'");
  expect_error({"case,q4,q1", "a,0.1,0.1"}, "case a: wanted a stage from 1 to 4");
  expect_error({"case,stage,q4,q1,q4", "a,1,0.1,0.1,0.2"}, "column 'q4' is there twice");
  const std::string unlabelled = tables_.write("u.csv", {"case,q4,q1", "a,0.1,0.1"});
  EXPECT_EQ(read_score_table({.scores = unlabelled, .require_stage = false}).patients.front().stage,
            0);
}

TEST_F(ScoreTable, CasesBringStagesAndPatientsWithoutScores) {
  const std::string scores = tables_.write("s.csv", {"case,q4,q1", "a,0.1,0.2"});
  const std::string cases = tables_.write("c.csv", {"case,stage", "a,3", "b,4"});

  const ViewTable table = read_score_table({.scores = scores, .cases = cases});
  EXPECT_EQ(table.patients[0].stage, 3);
  EXPECT_TRUE(table.views[0][1].empty());

  const std::string fewer = tables_.write("d.csv", {"case,stage", "b,4"});
  EXPECT_NE(test::error_of<DataError>([&] {
              read_score_table({.scores = scores, .cases = fewer});
            }).find("s.csv:2: case a is not in "),
            std::string::npos);
}

}  // namespace
}  // namespace hepar
