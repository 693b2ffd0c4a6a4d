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

/// The trials behind a row of a table: one for each setting of the other axes.
struct RowTrials {
  std::vector<std::string> runs;     ///< "seed=0" of each that is done
  std::vector<std::string> missing;  ///< "seed=1: failed", why another is not
  std::vector<std::string> trials;   ///< ids of those that are done
  std::vector<std::string> score_hashes, code_versions;
  std::vector<std::filesystem::path> outputs;  ///< what they wrote
  std::optional<std::int64_t> steps;           ///< optimizer steps of all trainings behind one
};

/// A row of the table under one group of cases.
struct ResultCell {
  std::string row, group;
  std::map<std::string, ScoreSummary> scores;  ///< by "raw.dsc", "largest_component.hd_mm", …
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
  std::map<std::string, RowTrials> sources;  ///< by row
  std::vector<ResultCell> cells;
  std::vector<RowDifference> differences;
  Json paper = Json::object();
  std::vector<std::string> notes;  ///< what a reader must know before the numbers
};

/// Reads the scores of a table of masks as far as they are there. Throws ConfigError when the
/// experiment has no table, DataError when a score file is damaged or scores a case that the cohort
/// does not have.
Results collect_results(const TrialStore& store);

/// A table of texts; the first row is the header.
using TextTable = std::vector<std::vector<std::string>>;

/// What a report says, whatever its table is of.
struct ReportTables {
  std::string title;
  std::string origin;              ///< experiment, data, version
  std::vector<std::string> notes;  ///< what a reader must know before the numbers
  struct Part {
    std::string heading, caption;
    TextTable lines;
  };
  std::vector<Part> parts;
  TextTable sources;                     ///< seed, trials and code behind each row
  std::vector<std::string> conventions;  ///< what the numbers are
  TextTable numbers;                     ///< one line a number or question, for the CSV
  Json json;
};

/// Mean and sd of each score of masks; cells without a number say why.
ReportTables report_tables(const Results& results);
/// The tables of an experiment, of masks or of staging scores by its section `table`. A table of
/// staging scores reads the CSVs of a row's trials together, fuses them and asks `score_document`
/// and `compare_heads` (docs/experiments.md). Throws as collect_results and read_score_table do,
/// and DataError naming both files when two trials of a row contradict each other.
ReportTables collect_report(const TrialStore& store);

std::string to_markdown(const ReportTables& tables);
std::string to_csv(const ReportTables& tables);
std::string to_latex(const ReportTables& tables);

/// One self-contained HTML page: tables, training curves, costs, and each trial's exact command.
std::string report_html(const TrialStore& store, const std::vector<ReportTables>& tables);

/// Writes EXP/report/{table.md, table.csv, table.tex, results.json}, of a sweep ranking.* likewise,
/// and EXP/report.html; returns the Markdown tables and where the files are.
std::string write_report_files(const std::filesystem::path& experiment);

/// `hepar report EXP --out report.html`.
struct ReportConfig {
  std::string experiment;
  std::string out;  ///< HTML file; empty: EXP/report.html
  void declare(ConfigSchema& schema);
};
void run_report_command(const ReportConfig& config, bool dry_run);

}  // namespace hepar
