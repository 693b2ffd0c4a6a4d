#include <algorithm>
#include <string>
#include <vector>

#include "experiment/result_tables.h"
#include "experiment/staging_tables.h"
#include "hepar/pipeline/cuts.h"

namespace hepar::detail {
namespace {

constexpr int kDigits = 4;

/// Mean over the seeds that have it; null without any.
Json mean_of(const Json& runs, const char* key) {
  double sum = 0;
  std::size_t n = 0;
  for (const Json& run : runs) {
    if (const Json value = run.value(key, Json(nullptr)); !value.is_null()) {
      sum += value.get<double>();
      ++n;
    }
  }
  return n == 0 ? Json(nullptr) : Json(sum / static_cast<double>(n));
}

/// "0.4312", or "0.3921 … 0.4405" over seeds and fitting sets.
std::string cuts_text(const Json& runs) {
  std::vector<double> cuts;
  for (const Json& run : runs) {
    for (const auto& [group, cut] : run["thresholds"].items()) {
      if (!cut.is_null()) {
        cuts.push_back(cut);
      }
    }
  }
  if (cuts.empty()) {
    return "–";
  }
  const auto [low, high] = std::minmax_element(cuts.begin(), cuts.end());
  const std::string from = fixed(*low, kDigits);
  const std::string to = fixed(*high, kDigits);
  return from == to ? from : from + " … " + to;
}

}  // namespace

TextTable cut_table(const StagingResults& results) {
  TextTable table{
      {"row", "question", "rule", "cut", "sensitivity", "specificity", "balanced ACC", "ACC"}};
  for (const StagingRow& row : results.rows) {
    if (!row.scored || row.document["thresholds"].is_null()) {
      continue;
    }
    const Json& fitted = row.document["thresholds"];
    for (const std::string& question : kStagingQuestions) {
      for (const CutRule rule : {CutRule::kYouden, CutRule::kSensitivity90}) {
        const Json& runs = fitted[question][name_of(rule)];
        table.push_back(
            {row.title, question_title(question), name_of(rule), cuts_text(runs),
             number_text(mean_of(runs, "sensitivity")), number_text(mean_of(runs, "specificity")),
             number_text(mean_of(runs, "balanced_acc")), number_text(mean_of(runs, "acc"))});
      }
    }
  }
  return table.size() > 1 ? table : TextTable{};
}

}  // namespace hepar::detail
