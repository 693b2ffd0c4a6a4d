#include "experiment/result_tables.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "experiment/case_table.h"
#include "experiment/row_trials.h"
#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar::detail {
namespace {

std::string score_text(const ScoreSummary& summary, int digits) {
  if (!summary.mean) {
    return "–";
  }
  std::string text = fixed(*summary.mean, digits);
  text += summary.sd ? " ± " + fixed(*summary.sd, digits) : "";
  text += summary.sd_over_runs ? " (runs ± " + fixed(*summary.sd_over_runs, digits) + ")" : "";
  text += summary.missed > 0 ? ", " + std::to_string(summary.missed) + " undefined" : "";
  return text;
}

const ResultCell& cell_of(const Results& results, const std::string& row,
                          const std::string& group) {
  return *std::find_if(results.cells.begin(), results.cells.end(), [&](const ResultCell& cell) {
    return cell.row == row && cell.group == group;
  });
}

std::vector<std::string> paper_line(const Results& results, const std::string& group,
                                    const std::string& row) {
  if (!results.paper.contains(group) || !results.paper[group].contains(row)) {
    return {};
  }
  const Json& figures = results.paper[group][row];
  std::vector<std::string> line{"  the paper's figure", "", "", "", "", ""};
  for (const std::string& score : kScores) {
    line.push_back(figures.contains(score) ? figures[score].get<std::string>() : "–");
  }
  return line;
}

}  // namespace

std::string fixed(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string p_text(double p) { return p < 0.0001 ? "< 0.0001" : fixed(p, 4); }

int digits_of(const std::string& score) { return score.ends_with("dsc") ? 4 : 2; }

TextTable group_table(const Results& results, const std::string& group) {
  TextTable table{{"row", "runs", "steps", "DSC raw", "HD raw, mm", "HD95 raw, mm",
                   "DSC largest component", "HD largest component, mm",
                   "HD95 largest component, mm"}};
  for (const auto& [row, title] : results.rows) {
    const ResultCell& cell = cell_of(results, row, group);
    const RowTrials& source = results.sources.at(row);
    std::vector<std::string> line{title, runs_text(source),
                                  source.steps ? std::to_string(*source.steps) : "–"};
    for (const std::string& variant : kVariants) {
      for (const std::string& score : kScores) {
        line.push_back(score_text(cell.scores.at(variant + "." + score), digits_of(score)));
      }
    }
    table.push_back(std::move(line));
    if (auto paper = paper_line(results, group, row); !paper.empty()) {
      table.push_back(std::move(paper));
    }
  }
  return table;
}

TextTable difference_table(const Results& results) {
  if (results.differences.empty()) {
    return {};
  }
  TextTable table{
      {"difference", "cases of", "score", "n", "mean", "95 % interval", "Wilcoxon p", "Holm p"}};
  const auto title = [&](const std::string& row) {
    return std::find_if(results.rows.begin(), results.rows.end(),
                        [&](const auto& entry) { return entry.first == row; })
        ->second;
  };
  for (const RowDifference& d : results.differences) {
    const int digits = digits_of(d.score);
    table.push_back(
        {title(d.row) + " − " + title(d.minus), d.group, d.score, std::to_string(d.cases),
         fixed(d.mean, digits),
         join({"[", fixed(d.interval.low, digits), ", ", fixed(d.interval.high, digits), "]"}, ""),
         p_text(d.wilcoxon_p), p_text(d.holm_p)});
  }
  return table;
}

std::vector<std::string> conventions_of_tables() {
  return {
      "± is the standard deviation over cases (divisor n − 1); a case's value is its mean over "
      "runs "
      "(seeds). “runs ±” is the standard deviation of the runs' means.",
      "Distances are in mm on the reference's grid; HD is the maximum surface distance, HD95 "
      "follows "
      "MONAI. A distance is undefined when prediction or reference is empty: such cases are "
      "counted "
      "beside the mean; results.json has the mean with the image's diagonal in their place.",
      "steps: optimizer steps of all trainings behind one run of the row.",
      "Differences are paired over cases. Interval: percentile bootstrap over cases, 10,000 draws; "
      "Wilcoxon signed-rank, two-sided; Holm over all comparisons of one score.",
      "The paper's figures are copied from it, for other data, and stand beside for orientation "
      "only.",
  };
}

}  // namespace hepar::detail
