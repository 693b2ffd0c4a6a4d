// What the scores rest on: activation in the liver, and what changes when something else changes.
#include <algorithm>
#include <utility>

#include "experiment/staging_tables.h"

namespace hepar::detail {
namespace {

using Line = std::vector<std::string>;

std::string line_text(const StagingResults& results, const EvidenceLine& wanted) {
  const auto found =
      std::find_if(results.evidence.begin(), results.evidence.end(), [&](const EvidenceLine& line) {
        return line.group == wanted.group && line.row == wanted.row && line.minus == wanted.minus &&
               line.figure == wanted.figure;
      });
  if (found == results.evidence.end()) {
    return "–";
  }
  return number_text(found->mean) + interval_text(found->interval) +
         ", n = " + std::to_string(found->n);
}

const std::string& title_of(const StagingResults& results, const std::string& name) {
  return std::find_if(results.rows.begin(), results.rows.end(),
                      [&](const StagingRow& row) { return row.name == name; })
      ->title;
}

std::string auc_text_of(const Json* blocks, const std::string& question) {
  return blocks == nullptr ? "–" : auc_text((*blocks)[question]);
}

}  // namespace

TextTable evidence_table(const StagingResults& results) {
  TextTable table{{"row", "patients of", "CAM in the liver", "mask's share of the box",
                   "CAM − share [bootstrap]", "mean |Δq4|, cue exchanged [bootstrap]"}};
  const std::vector<std::string> figures{"cam_inside", "mask_share", "cam_excess", "q4_change"};
  std::vector<std::pair<std::string, std::string>> seen;
  for (const EvidenceLine& line : results.evidence) {
    const std::pair<std::string, std::string> key{line.row + "\n" + line.minus, line.group};
    if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
      continue;
    }
    seen.push_back(key);
    const std::string minus = line.minus.empty() ? "" : " − " + title_of(results, line.minus);
    Line cells{title_of(results, line.row) + minus, line.group};
    for (const std::string& figure : figures) {
      cells.push_back(line_text(
          results, {.group = line.group, .row = line.row, .minus = line.minus, .figure = figure}));
    }
    table.push_back(std::move(cells));
  }
  return table.size() > 1 ? table : TextTable{};
}

TextTable noise_table(const StagingResults& results) {
  TextTable table{{"row", "patients of"}};
  for (const std::string& question : kStagingQuestions) {
    std::string title = question_title(question);
    title.append(" AUC");
    table[0].push_back(std::move(title));
    table[0].emplace_back("with noise outside of the liver");
  }
  for (const StagingRow& row : results.rows) {
    for (const std::string& group : row.noise.is_null() ? Line{} : results.groups) {
      Line cells{row.title, group};
      for (const std::string& question : kStagingQuestions) {
        cells.push_back(auc_text_of(block_of(row, group), question));
        cells.push_back(auc_text_of(block_of(row.noise, group), question));
      }
      table.push_back(std::move(cells));
    }
  }
  return table.size() > 1 ? table : TextTable{};
}

}  // namespace hepar::detail
