#pragma once
#include <hepar/core/config.h>
#include <hepar/core/json.h>
#include <hepar/pipeline/statistics.h>
#include <hepar/pipeline/trial_store.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// One score over the cases of a cell: a case's value is its mean over the runs that have one.
struct ScoreSummary {
  std::optional<double> mean, sd;        ///< over cases where it is defined; sd needs two
  std::optional<double> sd_over_runs;    ///< of the runs' means; needs two runs
  std::optional<double> mean_penalised;  ///< undefined distances count as the image's diagonal
  std::size_t cases = 0;
  std::size_t missed = 0;  ///< cases where it is undefined in every run
};

/// A row of the table under one group of cases.
struct ResultCell {
  std::string row, group;
  std::map<std::string, ScoreSummary> scores;  ///< by "raw.dsc", "largest_component.hd_mm", …
  std::vector<std::string> runs;               ///< "seed=0" of each run that is in it
  std::vector<std::string> missing;            ///< "seed=1: failed", why a run is not
  std::vector<std::string> trials;             ///< ids of the scores
  std::vector<std::string> score_hashes, code_versions;
};

/// Paired difference of two rows over the cases both have: row − minus.
struct RowDifference {
  std::string row = {}, minus = {}, group = {}, score = {};
  std::size_t cases = 0;
  double mean = 0;
  Interval interval = {};  ///< 95 %, bootstrap over cases
  double wilcoxon_p = 1, holm_p = 1;
};

/// Everything the tables say.
struct Results {
  std::string experiment, title, code_version, data_hash;
  std::vector<std::pair<std::string, std::string>> rows;  ///< value of the axis, title
  std::vector<std::string> groups;
  std::map<std::string, std::size_t> group_cases;
  std::map<std::string, std::int64_t> row_steps;  ///< optimizer steps behind one run of a row
  std::vector<ResultCell> cells;
  std::vector<RowDifference> differences;
  Json paper = Json::object();
  std::vector<std::string> notes;  ///< what a reader must know before the numbers
};

/// Reads the scores of an experiment's table as far as they are there. Throws ConfigError when the
/// experiment has no table, DataError when a score file is damaged or scores a case that the cohort
/// does not have.
Results collect_results(const TrialStore& store);

/// Mean and sd of each score, cells without a number say why. Cases without a distance are counted.
std::string to_markdown(const Results& results);
std::string to_csv(const Results& results);  ///< one line a row, group and score
std::string to_latex(const Results& results);
Json to_json(const Results& results);

/// One self-contained HTML page: tables, training curves, costs, and each trial's exact command.
std::string report_html(const TrialStore& store);

/// Writes EXP/report/{table.md, table.csv, table.tex, results.json} and EXP/report.html; returns
/// the Markdown tables and where the files are.
std::string write_report_files(const std::filesystem::path& experiment);

/// `hepar report EXP --out report.html`.
struct ReportConfig {
  std::string experiment;
  std::string out;  ///< HTML file; empty: EXP/report.html
  void declare(ConfigSchema& schema);
};
void run_report_command(const ReportConfig& config, bool dry_run);

}  // namespace hepar
