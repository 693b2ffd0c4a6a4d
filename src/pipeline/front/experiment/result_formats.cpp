#include <algorithm>

#include "experiment/case_table.h"
#include "experiment/result_tables.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/report.h"

namespace hepar {
namespace {

using detail::TextTable;

std::string markdown(const TextTable& table) {
  std::string text;
  for (std::size_t i = 0; i < table.size(); ++i) {
    text += "| " + join(table[i], " | ") + " |\n";
    if (i == 0) {
      text += "|";
      for (std::size_t column = 0; column < table[0].size(); ++column) {
        text += "---|";
      }
      text += "\n";
    }
  }
  return text;
}

std::string latex_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string("&%$#_{}").find(c) != std::string::npos) {
      escaped += '\\';
    }
    escaped += c;
  }
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"±", "$\\pm$"},
                                 {"−", "$-$"},
                                 {"–", "--"},
                                 {"< ", "$<$ "}}) {
    for (std::size_t at = 0; (at = escaped.find(from, at)) != std::string::npos; at += to.size()) {
      escaped.replace(at, from.size(), to);
    }
  }
  return escaped;
}

std::string latex(const TextTable& table, const std::string& caption) {
  std::string text = "\\begin{table}\n\\caption{" + latex_escaped(caption) +
                     "}\n\\begin{tabular}{l" + std::string(table[0].size() - 1, 'r') +
                     "}\n\\toprule\n";
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::vector<std::string> cells;
    std::transform(table[i].begin(), table[i].end(), std::back_inserter(cells), latex_escaped);
    text += join(cells, " & ") + " \\\\\n" + (i == 0 ? "\\midrule\n" : "");
  }
  return text + "\\bottomrule\n\\end{tabular}\n\\end{table}\n";
}

std::string quoted(const std::string& text) {
  std::string doubled;
  for (const char c : text) {
    doubled += c == '"' ? "\"\"" : std::string(1, c);
  }
  return "\"" + doubled + "\"";
}

std::string number(const std::optional<double>& value) {
  return value ? detail::fixed(*value, 6) : "";
}

std::string heading(const Results& results, const std::string& group) {
  const auto cases = results.group_cases.find(group);
  return group + ", n = " + std::to_string(cases == results.group_cases.end() ? 0 : cases->second);
}

std::string source_line(const Results& results) {
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

}  // namespace

std::string to_markdown(const Results& results) {
  std::string text = "# " + results.title + "\n\n" + source_line(results) + "\n";
  for (const std::string& note : results.notes) {
    text += "\n**" + note + "**\n";
  }
  for (const std::string& group : results.groups) {
    text +=
        "\n## " + heading(results, group) + "\n\n" + markdown(detail::group_table(results, group));
  }
  if (const TextTable differences = detail::difference_table(results); !differences.empty()) {
    text += "\n## Paired differences\n\n" + markdown(differences);
  }
  text += "\n## Sources\n\n" + markdown(detail::source_table(results)) + "\n";
  for (const std::string& line : detail::conventions_of_tables()) {
    text += "- " + line + "\n";
  }
  return text;
}

std::string to_csv(const Results& results) {
  std::string text =
      "row,group,score,mean,sd_over_cases,sd_over_runs,mean_penalised,cases,undefined,runs,missing,"
      "trials,cohort_hash,code\n";
  for (const ResultCell& cell : results.cells) {
    for (const auto& [score, summary] : cell.scores) {
      text += join({quoted(cell.row), quoted(cell.group), score, number(summary.mean),
                    number(summary.sd), number(summary.sd_over_runs),
                    number(summary.mean_penalised), std::to_string(summary.cases),
                    std::to_string(summary.missed), quoted(join(cell.runs, "; ")),
                    quoted(join(cell.missing, "; ")), quoted(join(cell.trials, " ")),
                    results.data_hash, quoted(join(cell.code_versions, " "))},
                   ",") +
              "\n";
    }
  }
  return text;
}

std::string to_latex(const Results& results) {
  std::string text = "% " + source_line(results) + "; needs the package booktabs\n";
  for (const std::string& group : results.groups) {
    text +=
        latex(detail::group_table(results, group), results.title + ": " + heading(results, group));
  }
  if (const TextTable differences = detail::difference_table(results); !differences.empty()) {
    text += latex(differences, results.title + ": paired differences");
  }
  return text;
}

Json to_json(const Results& results) {
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
    Json entry{{"row", cell.row},
               {"group", cell.group},
               {"runs", cell.runs},
               {"missing", cell.missing},
               {"trials", cell.trials},
               {"score_hashes", cell.score_hashes},
               {"code", cell.code_versions},
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

}  // namespace hepar
