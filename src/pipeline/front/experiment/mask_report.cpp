// The report of a table of masks.
#include "experiment/csv_text.h"
#include "experiment/result_tables.h"
#include "experiment/row_trials.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/report.h"

namespace hepar {
namespace {

using detail::number;
using detail::quoted;

std::string heading(const Results& results, const std::string& group) {
  const auto cases = results.group_cases.find(group);
  return group + ", n = " + std::to_string(cases == results.group_cases.end() ? 0 : cases->second);
}

std::string origin_of(const Results& results) {
  return "experiment " + results.experiment + ", cohort hash " +
         (results.data_hash.empty() ? "unknown" : results.data_hash) + ", report by hepar " +
         results.code_version;
}

Json summary_json(const ScoreSummary& summary) {
  const auto value = [](const std::optional<double>& v) { return v ? Json(*v) : Json(nullptr); };
  return {{"mean", value(summary.mean)},
          {"sd_over_cases", value(summary.sd)},
          {"sd_over_runs", value(summary.sd_over_runs)},
          {"mean_penalised", value(summary.mean_penalised)},
          {"cases", summary.cases},
          {"undefined", summary.missed}};
}

TextTable csv_lines(const Results& results) {
  TextTable lines{split(
      "row,group,score,mean,sd_over_cases,sd_over_runs,mean_penalised,cases,undefined,runs,missing,"
      "trials,cohort_hash,code",
      ',')};
  for (const ResultCell& cell : results.cells) {
    const RowTrials& source = results.sources.at(cell.row);
    for (const auto& [score, summary] : cell.scores) {
      lines.push_back({quoted(cell.row), quoted(cell.group), score, number(summary.mean),
                       number(summary.sd), number(summary.sd_over_runs),
                       number(summary.mean_penalised), std::to_string(summary.cases),
                       std::to_string(summary.missed), quoted(join(source.runs, "; ")),
                       quoted(join(source.missing, "; ")), quoted(join(source.trials, " ")),
                       results.data_hash, quoted(join(source.code_versions, " "))});
    }
  }
  return lines;
}

Json json_of(const Results& results) {
  Json json{{"experiment", results.experiment},
            {"title", results.title},
            {"cohort_hash", results.data_hash},
            {"report_by", results.code_version},
            {"notes", results.notes},
            {"cells", Json::array()},
            {"differences", Json::array()},
            {"paper", results.paper},
            {"conventions", detail::conventions_of_tables()}};
  for (const ResultCell& cell : results.cells) {
    const RowTrials& source = results.sources.at(cell.row);
    Json entry{{"row", cell.row},
               {"group", cell.group},
               {"runs", source.runs},
               {"missing", source.missing},
               {"trials", source.trials},
               {"score_hashes", source.score_hashes},
               {"code", source.code_versions},
               {"scores", Json::object()}};
    for (const auto& [score, summary] : cell.scores) {
      entry["scores"][score] = summary_json(summary);
    }
    json["cells"].push_back(std::move(entry));
  }
  for (const RowDifference& d : results.differences) {
    json["differences"].push_back({{"row", d.row},
                                   {"minus", d.minus},
                                   {"group", d.group},
                                   {"score", d.score},
                                   {"cases", d.cases},
                                   {"mean", d.mean},
                                   {"ci95", {d.interval.low, d.interval.high}},
                                   {"wilcoxon_p", d.wilcoxon_p},
                                   {"holm_p", d.holm_p}});
  }
  return json;
}

}  // namespace

ReportTables report_tables(const Results& results) {
  ReportTables tables{.title = results.title,
                      .origin = origin_of(results),
                      .notes = results.notes,
                      .parts = {},
                      .sources = detail::source_table(results.rows, results.sources),
                      .conventions = detail::conventions_of_tables(),
                      .numbers = csv_lines(results),
                      .json = json_of(results)};
  for (const std::string& group : results.groups) {
    const std::string title = heading(results, group);
    tables.parts.push_back({title, title, detail::group_table(results, group)});
  }
  if (TextTable differences = detail::difference_table(results); !differences.empty()) {
    tables.parts.push_back({"Paired differences", "paired differences", std::move(differences)});
  }
  return tables;
}

}  // namespace hepar
