// What single sequences say, and how often a volume had no plausible mask.
#include <set>

#include "experiment/row_trials.h"
#include "experiment/staging_tables.h"

namespace hepar::detail {
namespace {

const Json* views_of(const StagingRow& row) {
  return row.scored && !row.document["views"].is_null() ? &row.document["views"] : nullptr;
}

std::string view_text(const Json& view, const std::string& question) {
  return auc_text(view[question]) + ", n = " + view["n"].dump();
}

std::vector<std::string> sequences_of(const StagingResults& results) {
  std::set<std::string> names;
  for (const StagingRow& row : results.rows) {
    if (const Json* views = views_of(row)) {
      for (const auto& [name, view] : (*views)["sequences"].items()) {
        names.insert(name);
      }
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace

TextTable sequence_table(const StagingResults& results, const std::string& question) {
  const std::vector<std::string> names = sequences_of(results);
  TextTable table{{"row", "runs"}};
  table[0].insert(table[0].end(), names.begin(), names.end());
  for (const char* column :
       {"without contrast agent", "with contrast agent", "mean of single sequences", "fused"}) {
    table[0].emplace_back(column);
  }
  for (const StagingRow& row : results.rows) {
    std::vector<std::string> line{row.title, runs_text(row.source)};
    const Json* views = views_of(row);
    if (views == nullptr) {
      line.insert(line.end(), names.size() + 4, "missing");
      table.push_back(std::move(line));
      continue;
    }
    for (const std::string& name : names) {
      const auto view = (*views)["sequences"].find(name);
      line.push_back(view == (*views)["sequences"].end() ? "–" : view_text(*view, question));
    }
    line.push_back(view_text((*views)["non_contrast"], question));
    line.push_back(view_text((*views)["contrast"], question));
    line.push_back(number_text((*views)["mean_single_sequence_auc"][question]));
    line.push_back(view_text((*views)["fused"], question));
    table.push_back(std::move(line));
  }
  return names.empty() ? TextTable{} : table;
}

TextTable removal_table(const StagingResults& results) {
  TextTable table{{"row", "question"}};
  for (const StagingRow& row : results.rows) {
    const Json* views = views_of(row);
    for (const std::string& question :
         views == nullptr ? std::vector<std::string>{} : kStagingQuestions) {
      std::vector<std::string> line{row.title, question_title(question)};
      for (const Json& entry : (*views)["removed_at_random"]) {
        const Json& spread = entry[question];
        line.push_back(number_text(spread["mean"]) +
                       (spread["sd"].is_null() ? "" : " ± " + number_text(spread["sd"])));
        if (table[0].size() < line.size()) {
          table[0].push_back(entry["removed"].dump() + " removed");
        }
      }
      table.push_back(std::move(line));
    }
  }
  return table.size() > 1 ? table : TextTable{};
}

TextTable fallback_table(const StagingResults& results) {
  std::set<std::string> domains;
  const auto of = [](const StagingRow& row) {
    const Json* views = views_of(row);
    return views != nullptr && views->contains("fallback_vois") ? (*views)["fallback_vois"]
                                                                : Json();
  };
  for (const StagingRow& row : results.rows) {
    const Json sequences = of(row);
    for (const auto& [sequence, shares] : sequences.items()) {
      for (const auto& [domain, share] : shares.items()) {
        domains.insert(domain);
      }
    }
  }
  TextTable table{{"row", "sequence"}};
  table[0].insert(table[0].end(), domains.begin(), domains.end());
  for (const StagingRow& row : results.rows) {
    const Json sequences = of(row);
    for (const auto& [sequence, shares] : sequences.items()) {
      std::vector<std::string> line{row.title, sequence};
      for (const std::string& domain : domains) {
        line.push_back(shares.contains(domain) ? shares[domain]["fallbacks"].dump() + " of " +
                                                     shares[domain]["n"].dump()
                                               : "–");
      }
      table.push_back(std::move(line));
    }
  }
  return table.size() > 1 ? table : TextTable{};
}

}  // namespace hepar::detail
