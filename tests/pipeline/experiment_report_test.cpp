#include <gtest/gtest.h>
#include <hepar/core/version.h>
#include <hepar/io/manifest.h>
#include <hepar/pipeline/report.h>

#include "pipeline/experiment_fixture.h"
#include "support/temporary.h"

namespace hepar::test {
namespace {

const char* const kTable = R"(
name: report
axes: {seed: [0, 1], row: [scratch, tuned, never]}
stages:
  cohort: {command: make}
  scratch: {command: fit, data: "${cohort}", seed: "${seed}", train: {steps: 30}}
  tuned: {command: fit, data: "${cohort}", init: "${scratch}", seed: "${seed}", train: {steps: 5}}
  never: {command: fit, data: "${cohort}", seed: "${seed}", train: {steps: 1}}
  scores: {command: score, in: "${${row}}"}
table:
  title: Three rows & two groups
  scores: scores
  cohort: cohort
  rows: row
  titles: {scratch: (a) from scratch, tuned: (b) tuned}
  groups:
    ID: {split: [val, test_id]}
    OOD: {split: test_ood}
  compare: [[tuned, scratch]]
  paper:
    ID: {scratch: {dsc: 0.9598, hd_mm: 39.14}}
)";

Json block(double dsc, const Json& hd) {
  return {{"dsc", dsc}, {"hd_mm", hd}, {"hd95_mm", hd.is_null() ? hd : Json(hd.get<double>() / 2)}};
}

Json case_entry(const std::string& id, double dsc, const Json& hd) {
  Json entry{{"id", id}, {"image_diagonal_mm", 500.0}};
  entry.update(block(dsc, hd));
  entry["largest_component"] = block(dsc + 0.01, hd.is_null() ? hd : Json(hd.get<double>() - 1));
  return entry;
}

class Report : public ::testing::Test {
 protected:
  Report() : store_(folder_.path() / "exp"), experiment_(expand(kTable)) {
    store_.open(experiment_, false);
    store_.plan(experiment_, false);
    for (const Trial& trial : experiment_.trials) {
      if (trial.stage == "cohort") {
        write_cohort(trial);
      }
    }
  }

  void write_cohort(const Trial& trial) {
    Manifest manifest;
    manifest.source = "test";
    manifest.labels = {{"background", 0}, {"liver", 1}};
    manifest.shards.push_back({"shards/shard-00000.h5", std::string(16, '0')});
    for (const auto& [id, split] : {std::pair<const char*, const char*>{"a", "val"},
                                    {"b", "test_id"},
                                    {"c", "test_ood"},
                                    {"d", "train"}}) {
      CaseRecord record;
      record.id = id;
      record.patient = id;
      record.split = split;
      manifest.cases.push_back(record);
    }
    fs::create_directories(store_.output(trial));
    write_manifest(store_.output(trial), manifest);
    end(trial);
  }

  void end(const Trial& trial) {
    TrialOutcome outcome{
        .done = true, .host = "here", .code_version = "0.1.0+tests", .output_hash = "00ff"};
    store_.write_outcome(trial.id, outcome);
    (void)store_.move(trial.id, TrialState::kPlanned, TrialState::kDone);
  }

  void score(const std::string& row, const std::string& seed, double shift) {
    const Trial& trial =
        experiment_.trial(experiment_.cell("scores", {{"row", row}, {"seed", seed}})->id);
    write_json(
        store_.output(trial),
        {{"cases",
          {case_entry("a", 0.8 + shift, 20.0 - 100 * shift), case_entry("b", 0.9 + shift, 10.0),
           case_entry("c", 0.5 + shift, seed == "0" ? Json(40.0) : Json(nullptr))}}});
    end(trial);
  }

  /// Everything that another build or run writes differently is replaced.
  std::string stable(std::string text) const {
    for (const auto& [from, to] : {std::pair<std::string, std::string>{version(), "VERSION"},
                                   {folder_.path().string(), "FOLDER"}}) {
      for (std::size_t at = 0; (at = text.find(from)) != std::string::npos;) {
        text.replace(at, from.size(), to);
      }
    }
    return text;
  }

  void expect_golden(const std::string& name, const std::string& text) const {
    const fs::path golden = fs::path(HEPAR_SOURCE_DIR) / "tests/pipeline/golden" / name;
    EXPECT_EQ(stable(text), read_text(golden)) << "compare with " << golden;
  }

  TemporaryFolder folder_;
  TrialStore store_;
  Experiment experiment_;
};

TEST_F(Report, TablesAreThoseOfTheGoldenFiles) {
  score("scratch", "0", 0.0);
  score("scratch", "1", 0.02);
  score("tuned", "0", 0.04);

  const ReportTables report = collect_report(store_);

  expect_golden("table.md", to_markdown(report));
  expect_golden("table.csv", to_csv(report));
  expect_golden("table.tex", to_latex(report));
  expect_golden("results.json", report.json.dump(1) + "\n");
}

TEST_F(Report, AveragesRunsPerCaseBeforeCases) {
  score("scratch", "0", 0.0);
  score("scratch", "1", 0.02);

  const Results results = collect_results(store_);

  const ScoreSummary& dsc = results.cells[0].scores.at("raw.dsc");  // scratch, ID: a and b
  EXPECT_NEAR(*dsc.mean, (0.81 + 0.91) / 2, 1e-12);
  EXPECT_NEAR(*dsc.sd, 0.1 / std::sqrt(2.0), 1e-12);
  EXPECT_NEAR(*dsc.sd_over_runs, 0.02 / std::sqrt(2.0), 1e-12);
}

TEST_F(Report, UndefinedDistancesAreCountedAndChargedTheDiagonal) {
  score("scratch", "0", 0.0);
  score("scratch", "1", 0.0);

  const Results results = collect_results(store_);

  const ScoreSummary& hd = results.cells[1].scores.at("raw.hd_mm");  // scratch, OOD: c
  EXPECT_DOUBLE_EQ(*hd.mean, 40);                                    // the run that has it
  EXPECT_EQ(hd.missed, 0U);
  EXPECT_DOUBLE_EQ(*hd.mean_penalised, (40 + 500) / 2.0);
}

TEST_F(Report, MissingCellsSayWhy) {
  const Trial& never = experiment_.trial(experiment_.cell("never", {{"seed", "0"}})->id);
  store_.write_outcome(never.id, {.message = "no memory"});
  ASSERT_TRUE(store_.move(never.id, TrialState::kPlanned, TrialState::kFailed));
  score("scratch", "0", 0.0);

  const std::string text = to_markdown(collect_report(store_));

  EXPECT_NE(text.find("MISSING (seed=0: blocked by never (seed=0), which failed)"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("| 1 of 2 |"), std::string::npos);
}

TEST_F(Report, AScoreOfACaseThatTheCohortDoesNotHaveIsRefused) {
  const Trial& trial =
      experiment_.trial(experiment_.cell("scores", {{"row", "tuned"}, {"seed", "0"}})->id);
  write_json(store_.output(trial), {{"cases", {case_entry("stranger", 0.5, 1.0)}}});
  end(trial);

  EXPECT_NE(error_of([&] { collect_results(store_); }).find("case stranger is not in the cohort"),
            std::string::npos);
}

TEST_F(Report, TheHtmlPageIsWholeAndLoadsNothing) {
  score("scratch", "0", 0.0);
  const Trial& net = experiment_.trial(experiment_.cell("scratch", {{"seed", "0"}})->id);
  fs::create_directories(store_.output(net));
  write_atomically(store_.output(net) / "metrics.jsonl",
                   std::string("{\"step\":1,\"loss\":2}\n{\"step\":2,\"loss\":1}\n{\"ste"));
  write_atomically(store_.trial_folder(net.id) / "command.txt",
                   std::string("hepar fit --config <x>\n"));

  write_report_files(store_.folder());
  const std::string page = read_text(store_.folder() / "report.html");

  EXPECT_NE(page.find("Three rows &amp; two groups"), std::string::npos);
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_NE(page.find("hepar fit --config &lt;x&gt;"), std::string::npos);
  for (const char* outside : {"src=", "href=", "@import", "<script"}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
}

}  // namespace
}  // namespace hepar::test
