#include <gtest/gtest.h>
#include <hepar/core/text.h>
#include <hepar/pipeline/report.h>
#include <hepar/pipeline/score_command.h>

#include <array>
#include <cstdio>

#include "pipeline/experiment_fixture.h"
#include "pipeline/staging_tables.h"
#include "support/temporary.h"

namespace hepar::test {
namespace {

const char* const kTable = R"(
name: heads
axes: {seed: [0, 1], row: [ce, reg, never, bce]}
stages:
  ce: {command: fit, seed: "${seed}", train: {steps: 30}}
  reg: {command: fit, seed: "${seed}", train: {steps: 31}}
  never: {command: fit, seed: "${seed}", train: {steps: 32}}
  bce: {command: fit, seed: "${seed}", train: {steps: 33}}
  volumes: {command: classify, in: "${${row}}"}
table:
  kind: staging
  title: Heads
  scores: volumes
  rows: row
  titles: {ce: cross entropy}
  fusion: {reg: logit}
  draws: 50
  compare: [[ce, bce], [never, bce], [reg, bce]]
  paper:
    all: {ce: {cirrhosis: {auc: 0.1234 ± 0.0567, acc: 71 %}}}
    elsewhere: {ce: {cirrhosis: {auc: 0.5}}}
)";

Experiment expand_staging(const std::string& yaml) {
  std::vector<StageKind> with_classify = kinds();
  with_classify.push_back({"classify", "out", {}, declare_config<MakeConfig>});
  return expand_experiment(parse_yaml_document(yaml, "exp.yaml"), {}, with_classify);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

std::string digits(const Json& value, int count = 4) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", count, value.get<double>());
  return text.data();
}

/// Two sequences of 40 patients in two seeds, and the lines of one seed.
struct HeadScores {
  std::vector<std::string> all;

  explicit HeadScores(std::uint64_t head) {
    for (const std::uint64_t sequence : {0U, 1U}) {
      for (const std::string& line :
           cohort_lines({.patients = 40, .folds = 2, .seeds = 2, .random_seed = head + sequence})) {
        const bool header = line.starts_with("case");
        if (!header || all.empty()) {
          all.push_back(line + (header ? ",sequence" : sequence == 0 ? ",T1" : ",GED1"));
        }
      }
    }
  }

  [[nodiscard]] std::vector<std::string> of_seed(const std::string& seed) const {
    std::vector<std::string> lines{all.front()};
    std::copy_if(all.begin() + 1, all.end(), std::back_inserter(lines),
                 [&](const std::string& line) { return split(line, ',').at(6) == seed; });
    return lines;
  }
};

class StagingReport : public ::testing::Test {
 protected:
  StagingReport() : store_(folder_.path() / "exp"), experiment_(expand_staging(kTable)) {
    store_.open(experiment_, false);
    store_.plan(experiment_, false);
  }

  const Trial& trial(const std::string& row, const std::string& seed) const {
    return experiment_.trial(experiment_.cell("volumes", {{"row", row}, {"seed", seed}})->id);
  }

  void end(const std::string& row, const std::string& seed,
           const std::vector<std::string>& lines) const {
    const Trial& of = trial(row, seed);
    fs::create_directories(store_.output(of));
    write_atomically(store_.output(of) / "scores.csv", join(lines, "\n") + "\n");
    store_.write_outcome(of.id, {.done = true, .code_version = "0.1.0", .output_hash = "00ff"});
    ASSERT_TRUE(store_.move(of.id, TrialState::kPlanned, TrialState::kDone));
  }

  void end_all() const {
    for (const auto& [row, head] : heads_) {
      for (const char* seed : {"0", "1"}) {
        end(row, seed, head.of_seed(seed));
      }
    }
  }

  /// `hepar score` of all runs of a row in one file.
  Json scored(const std::string& row, const std::vector<std::string>& against = {}) const {
    ScoreConfig config;
    config.scores = tables_.write(row + ".csv", heads_.at(row).all);
    for (const std::string& other : against) {
      config.against.push_back(tables_.write(other + ".csv", heads_.at(other).all));
    }
    config.fusion.rule = row == "reg" ? "logit" : "mean";
    config.options.bootstrap.draws = 50;
    return score(config);
  }

  TemporaryFolder folder_;
  Tables tables_;
  TrialStore store_;
  Experiment experiment_;
  std::map<std::string, HeadScores> heads_{
      {"ce", HeadScores(10)}, {"reg", HeadScores(20)}, {"bce", HeadScores(30)}};
};

TEST_F(StagingReport, RowsAreWhatScoreSaysOfAllRunsTogether) {
  end_all();

  const Json report = collect_report(store_).json;

  for (const std::size_t place : {0U, 1U, 3U}) {
    const Json& row = report["rows"][place];
    Json expected = scored(row["row"]);
    for (const char* key : {"comparisons", "scores", "hepar"}) {
      expected.erase(key);
    }
    EXPECT_EQ(row["scores"], expected) << row["row"];
    EXPECT_EQ(row["folds"]["all"], expected["folds"]);
  }
  EXPECT_NE(report["rows"][0]["scores"]["cirrhosis"]["auc"],
            report["rows"][3]["scores"]["cirrhosis"]["auc"]);
}

TEST_F(StagingReport, DifferencesAreThoseOfScore) {
  end_all();

  const Json differences = collect_report(store_).json["differences"];

  const Json expected = scored("ce", {"bce"})["comparisons"];
  for (const char* key : {"question", "first", "second", "n", "auc_difference",
                          "auc_difference_bootstrap_ci", "delong_p", "mcnemar_p"}) {
    EXPECT_EQ(differences[0]["questions"][0][key], expected[0][key]) << key;
    EXPECT_EQ(differences[0]["questions"][1][key], expected[1][key]) << key;
  }
  EXPECT_EQ(differences[1]["missing"], "missing: never has no result");
  EXPECT_EQ(differences[2]["questions"][0]["first"], "reg");
  EXPECT_EQ(differences[2]["questions"][1]["question"], "substantial_fibrosis");
  EXPECT_EQ(differences[8]["group"], "OOD");
  EXPECT_EQ(differences[8]["questions"][0]["n"], 10);
}

TEST_F(StagingReport, TablesShowTheNumbersWithTheirIntervals) {
  end_all();

  const ReportTables report = collect_report(store_);

  const Json all = scored("ce");
  const Json& block = all["cirrhosis"];
  const std::string line =
      "| cross entropy | 2 | 40 (10; 30) | " + digits(block["auc"]) + " [" +
      digits(block["auc_bootstrap_ci"][0]) + ", " + digits(block["auc_bootstrap_ci"][1]) + "] (" +
      digits(block["auc_delong_ci"][0]) + ", " + digits(block["auc_delong_ci"][1]) + ") | " +
      digits(block["auc_sd_over_seeds"]) + " | " +
      digits(all["folds"]["cirrhosis"]["auc"]["sd_over_folds"]) + " | " + digits(block["acc"]) +
      " [" + digits(block["acc_wilson_ci"][0]) + ", " + digits(block["acc_wilson_ci"][1]) + "] |";
  const std::string text = to_markdown(report);
  EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  EXPECT_NE(text.find("|   the paper's figure |  |  | 0.1234 ± 0.0567 |  |  | 71 % | – |"),
            std::string::npos);
  const Json& ood = all["groups"]["OOD"]["substantial_fibrosis"];
  EXPECT_NE(to_csv(report).find("\"ce\",\"OOD\",substantial_fibrosis,10," + ood["n_pos"].dump() +
                                "," + ood["n_neg"].dump() + "," + digits(ood["auc"], 6)),
            std::string::npos);
  const Json& t1 = all["views"]["sequences"]["T1"]["cirrhosis"];
  EXPECT_NE(text.find(digits(t1["auc"]) + " [" + digits(t1["auc_bootstrap_ci"][0])),
            std::string::npos);
  EXPECT_NE(text.find("No interval holds the variation between training sets"), std::string::npos);
  EXPECT_NE(text.find("no case is in the group 'elsewhere'"), std::string::npos);
  EXPECT_NE(to_latex(report).find("0.1234 $\\pm$ 0.0567 &  &  & 71 \\% & --"), std::string::npos);
}

TEST_F(StagingReport, MissingCellsSayWhichTrialAndWhy) {
  end("ce", "0", heads_.at("ce").of_seed("0"));
  const Trial& failed = trial("ce", "1");
  store_.write_outcome(failed.id, {.message = "no memory"});
  ASSERT_TRUE(store_.move(failed.id, TrialState::kPlanned, TrialState::kFailed));

  write_report_files(store_.folder());

  const std::string text = read_text(store_.folder() / "report/table.md");
  EXPECT_NE(text.find("| cross entropy | 1 of 2 | 40 (10; 30) |"), std::string::npos) << text;
  EXPECT_NE(text.find("| seed=0 | seed=1: failed: no memory |"), std::string::npos);
  EXPECT_NE(text.find("| reg | MISSING (seed=0: not done yet) | missing | missing |"),
            std::string::npos);
  EXPECT_NE(text.find("| missing: bce has no result |"), std::string::npos);
  const std::string page = read_text(store_.folder() / "report.html");
  EXPECT_NE(page.find("<td class=\"missing\">MISSING (seed=0: not done yet)</td>"),
            std::string::npos);
  EXPECT_NE(page.find("<td class=\"missing\">1 of 2</td>"), std::string::npos);
  EXPECT_NE(page.find("<tr class=\"paper\">"), std::string::npos);
}

TEST_F(StagingReport, ARunThatIsNotWholeIsLeftOutAndNamed) {
  end("ce", "0", heads_.at("ce").of_seed("0"));
  std::vector<std::string> lines = heads_.at("ce").of_seed("1");
  lines.pop_back();
  end("ce", "1", lines);

  const ReportTables report = collect_report(store_);

  EXPECT_EQ(report.json["rows"][0]["scores"]["seeds"], Json({0}));
  EXPECT_EQ(report.notes.at(0), "cross entropy: left out, seed 1: has 79 scores, seed 0 has 80");
}

const char* const kEvidence = R"(
name: evidence
axes: {seed: [0, 1], row: [ce, csl]}
stages:
  ce: {command: fit, seed: "${seed}", train: {steps: 30}}
  csl: {command: fit, seed: "${seed}", train: {steps: 31}}
  volumes: {command: classify, in: "${${row}}"}
  swapped: {command: classify, in: "${${row}}", flavour: sweet}
  noisy: {command: classify, in: "${swapped}"}
table:
  kind: staging
  scores: volumes
  rows: row
  compare: [[csl, ce]]
  swapped: swapped
  noise: noisy
  draws: 50
)";

/// Two sequences of four patients, one of domain C: `inside` and `shift` of q4 say what is wanted.
std::vector<std::string> evidence_lines(const std::string& seed, double inside, double shift) {
  std::vector<std::string> lines{"case,sequence,stage,domain,seed,q4,q1,cam_inside,mask_share"};
  const std::array<double, 4> q4{0.2, 0.3, 0.4, 0.6};
  for (std::size_t i = 0; i < q4.size(); ++i) {
    for (const char* sequence : {"T1", "T2"}) {
      // Without a plausible mask there is no share.
      const bool none = i == 2 && std::string(sequence) == "T2";
      lines.push_back(
          "p" + std::to_string(i) + "," + sequence + "," + std::to_string(i + 1) +
          (i == 3 ? ",C," : ",A,") + seed + "," + std::to_string(q4[i] + shift) + ",0.5," +
          (none ? "" : std::to_string(inside + 0.1 * static_cast<double>(i))) + ",0.25");
    }
  }
  return lines;
}

TEST(StagingEvidence, IsTheMeanOverSequencesSeedsAndPatients) {
  const TemporaryFolder folder;
  const TrialStore store(folder.path() / "exp");
  const Experiment experiment = expand_staging(kEvidence);
  store.open(experiment, false);
  store.plan(experiment, false);
  const auto end = [&](const std::string& stage, const AxisValues& axes, double inside,
                       double shift) {
    const Trial& of = experiment.trial(experiment.cell(stage, axes)->id);
    fs::create_directories(store.output(of));
    write_atomically(store.output(of) / "scores.csv",
                     join(evidence_lines(axes.at("seed"), inside, shift), "\n") + "\n");
    store.write_outcome(of.id, {.done = true, .code_version = "0.1.0", .output_hash = "00ff"});
    ASSERT_TRUE(store.move(of.id, TrialState::kPlanned, TrialState::kDone));
  };
  for (const std::string row : {"ce", "csl"}) {
    for (const std::string seed : {"0", "1"}) {
      const AxisValues axes{{"row", row}, {"seed", seed}};
      const double csl = row == "csl" ? 1 : 0;
      end("volumes", axes, 0.3 + 0.2 * csl, 0);
      end("swapped", axes, 0.3, (seed == "0" ? 0.2 : -0.1) * (1 - csl / 2));
      end("noisy", axes, 0.3, 0.01);
    }
  }

  const ReportTables report = collect_report(store);

  std::map<std::string, Json> lines;
  for (const Json& line : report.json["evidence"]) {
    const std::string minus = line["minus"].is_null() ? "" : "-" + line["minus"].get<std::string>();
    lines[line["group"].get<std::string>() + "/" + line["row"].get<std::string>() + minus + "/" +
          line["figure"].get<std::string>()] = line;
  }
  EXPECT_NEAR(lines.at("all/ce/cam_inside")["mean"], 0.45, 1e-6);
  EXPECT_NEAR(lines.at("all/ce/cam_excess")["mean"], 0.2, 1e-6);
  EXPECT_NEAR(lines.at("OOD/ce/cam_excess")["mean"], 0.35, 1e-6);
  EXPECT_EQ(lines.at("OOD/ce/cam_excess")["n"], 1);
  EXPECT_NEAR(lines.at("all/csl-ce/cam_excess")["mean"], 0.2, 1e-6);
  EXPECT_NEAR(lines.at("all/csl-ce/cam_excess")["bootstrap_ci"][0], 0.2, 1e-6);
  EXPECT_NEAR(lines.at("all/ce/q4_change")["mean"], 0.15, 1e-6);
  EXPECT_NEAR(lines.at("ID/csl-ce/q4_change")["mean"], -0.075, 1e-6);
  EXPECT_NEAR(report.json["rows"][0]["scores_with_noise"]["cirrhosis"]["auc"], 1, 1e-12);
  const auto heading = [&](const std::string& text) {
    return std::any_of(report.parts.begin(), report.parts.end(),
                       [&](const auto& part) { return part.heading == text; });
  };
  EXPECT_TRUE(heading("What the scores rest on"));
  EXPECT_TRUE(heading("Noise outside of the liver"));
}

const char* const kFit = R"(
name: fit
axes: {seed: [0, 1], row: [ce]}
stages:
  ce: {command: fit, seed: "${seed}", train: {steps: 30}}
  test: {command: classify, in: "${${row}}"}
  out_of_fold: {command: classify, in: "${${row}}", flavour: sweet}
table: {kind: staging, scores: test, rows: row, fit: out_of_fold, draws: 50}
)";

/// Patients that no other table has, without folds: a test set.
std::vector<std::string> test_lines() {
  std::vector<std::string> lines =
      cohort_lines({.patients = 24, .seeds = 2, .random_seed = 77, .noise = 2});
  for (std::string& line : lines) {
    std::vector<std::string> cells = split(line, ',');
    cells[0] = line.starts_with("case") ? cells[0] : "t" + cells[0];
    cells.erase(cells.begin() + 5);
    line = join(cells, ",");
  }
  return lines;
}

std::vector<std::string> lines_of_seed(const std::vector<std::string>& lines, char seed) {
  std::vector<std::string> found{lines.front()};
  std::copy_if(lines.begin() + 1, lines.end(), std::back_inserter(found),
               [&](const std::string& line) { return line.back() == seed; });
  return found;
}

TEST(StagingFit, CutsComeFromTheNamedStageAsInScore) {
  const TemporaryFolder folder;
  const Tables tables;
  const TrialStore store(folder.path() / "exp");
  const Experiment experiment = expand_staging(kFit);
  store.open(experiment, false);
  store.plan(experiment, false);
  const auto folds = cohort_lines({.patients = 40, .folds = 2, .seeds = 2, .random_seed = 5});
  for (const auto& [stage, lines] : {std::pair{"test", test_lines()}, {"out_of_fold", folds}}) {
    for (const char seed : {'0', '1'}) {
      const AxisValues axes{{"row", "ce"}, {"seed", std::string(1, seed)}};
      const Trial& of = experiment.trial(experiment.cell(stage, axes)->id);
      fs::create_directories(store.output(of));
      write_atomically(store.output(of) / "scores.csv",
                       join(lines_of_seed(lines, seed), "\n") + "\n");
      store.write_outcome(of.id, {.done = true, .code_version = "0.1.0", .output_hash = "00ff"});
      ASSERT_TRUE(store.move(of.id, TrialState::kPlanned, TrialState::kDone));
    }
  }

  const ReportTables report = collect_report(store);

  ScoreConfig config;
  config.scores = tables.write("test.csv", test_lines());
  config.fit = tables.write("folds.csv", folds);
  config.options.bootstrap.draws = 50;
  const Json expected = score(config);
  const Json& scores = report.json["rows"][0]["scores"];
  for (const char* question : {"cirrhosis", "substantial_fibrosis"}) {
    EXPECT_EQ(scores["thresholds"][question], expected["thresholds"][question]);
    EXPECT_EQ(scores[question]["acc_prior_corrected"], expected[question]["acc_prior_corrected"]);
  }
  ASSERT_EQ(scores["thresholds"]["cirrhosis"]["youden"].size(), 2);
  const Json& youden = expected["thresholds"]["cirrhosis"]["youden"];
  const double sensitivity =
      (youden[0]["sensitivity"].get<double>() + youden[1]["sensitivity"].get<double>()) / 2;
  const std::string text = to_markdown(report);
  EXPECT_NE(text.find("| ce | cirrhosis | youden | "), std::string::npos) << text;
  EXPECT_NE(text.find(" | " + digits(Json(sensitivity)) + " | "), std::string::npos) << text;
}

TEST_F(StagingReport, TwoTrialsThatScoreTheSameAreRefusedByName) {
  end("ce", "0", heads_.at("ce").of_seed("0"));
  end("ce", "1", heads_.at("ce").of_seed("0"));

  const std::string error = error_of<DataError>([&] { collect_report(store_); });

  EXPECT_NE(error.find(trial("ce", "0").id), std::string::npos) << error;
  EXPECT_NE(error.find(trial("ce", "1").id), std::string::npos);
  EXPECT_NE(error.find("is scored twice for one seed"), std::string::npos);
}

TEST(StagingTable, WrongKeysAreRefusedWithFileAndLine) {
  const auto error = [](const std::string& from, const std::string& to) {
    return error_of<ConfigError>([&] { expand_staging(replaced(kTable, from, to)); });
  };
  for (const auto& [from, to, line, text] : std::vector<std::array<std::string, 4>>{
           {"kind: staging", "kind: stagin", "11", "did you mean 'staging'?"},
           {"fusion: {reg", "fusoin: {reg", "16",
            "unknown key 'fusoin' in a table of kind staging"},
           {"{reg: logit}", "{rag: logit}", "16", "there is no row 'rag'"},
           {"{reg: logit}", "{reg: logits}", "16", "logit"},
           {"draws: 50", "draws: -5", "17", "wanted a number of draws, found '-5'"},
           {"[never, bce]", "[nevr, bce]", "18", "there is no row 'nevr'"},
           {"scores: volumes", "scores: ce", "13", "wanted a stage of command classify"},
           {"draws: 50", "noise: ce", "17", "wanted a stage of command classify"},
           {"draws: 50", "fit: ce", "17", "wanted a stage of command classify"},
           {"draws: 50", "swapped: volume", "17", "did you mean 'volumes'?"},
           {"all: {ce: {cirrhosis:", "all: {ce: {cirhosis:", "20",
            "there is no question 'cirhosis'"},
           {"acc: 71 %", "accuracy: 71 %", "20", "there is no figure 'accuracy'"},
           {"draws: 50", "cohort: ce", "17", "unknown key 'cohort'"}}) {
    const std::string found = error(from, to);
    EXPECT_NE(found.find("exp.yaml:" + line), std::string::npos) << to << "\n" << found;
    EXPECT_NE(found.find(text), std::string::npos) << to << "\n" << found;
  }
}

}  // namespace
}  // namespace hepar::test
