#include "experiment/staging_tables.h"

#include <algorithm>

#include "experiment/result_tables.h"
#include "experiment/row_trials.h"
#include "hepar/core/text.h"

namespace hepar::detail {
namespace {

constexpr int kDigits = 4;
constexpr const char* kMissing = "missing";
using Line = std::vector<std::string>;

std::string spread_text(const Json& spread) {
  return spread["sd"].is_null() ? number_text(spread["mean"])
                                : number_text(spread["mean"]) + " ± " + number_text(spread["sd"]);
}

void add_question(Line& line, const StagingRow& row, const std::string& group,
                  const std::string& question) {
  const Json* blocks = block_of(row, group);
  if (blocks == nullptr) {
    line.insert(line.end(), 4, kMissing);
    return;
  }
  const Json& block = (*blocks)[question];
  const auto folds = row.folds.find(group);
  const bool has_folds = folds != row.folds.end() && !folds->second.is_null();
  line.push_back(auc_text(block) + interval_text(block["auc_delong_ci"], '(', ')'));
  line.push_back(number_text(block.value("auc_sd_over_seeds", Json(nullptr))));
  line.push_back(
      number_text(has_folds ? folds->second[question]["auc"]["sd_over_folds"] : Json(nullptr)));
  line.push_back(number_text(block["acc"]) + interval_text(block["acc_wilson_ci"]));
}

std::string count_text(const StagingRow& row, const std::string& group) {
  const Json* blocks = block_of(row, group);
  if (blocks == nullptr) {
    return kMissing;
  }
  return (*blocks)["n"].dump() + " (" + (*blocks)["cirrhosis"]["n_pos"].dump() + "; " +
         (*blocks)["substantial_fibrosis"]["n_pos"].dump() + ")";
}

/// The paper's figures of a row under a group; null where it gives none.
Json paper_of(const StagingResults& results, const std::string& group, const std::string& row) {
  const Json rows = results.paper.value(group, Json::object());
  return rows.value(row, Json(nullptr));
}

std::string figure(const Json& paper, const std::string& question, const std::string& key) {
  const Json of = paper.value(question, Json::object());
  return of.value(key, std::string("–"));
}

/// What the domain alone says, without an image; empty where it is not known.
Line baseline_line(const StagingResults& results) {
  for (const StagingRow& row : results.rows) {
    if (!row.scored || row.document["domain_only"].is_null()) {
      continue;
    }
    const Json& only = row.document["domain_only"];
    Line line{"domain alone, fitted on " + only["fitted_on"].get<std::string>(), "–",
              count_text(row, "all")};
    for (const std::string& question : kStagingQuestions) {
      line.push_back(number_text(only[question]["auc"]) +
                     interval_text(only[question]["auc_delong_ci"], '(', ')'));
      line.insert(line.end(), 3, "–");
    }
    return line;
  }
  return {};
}

}  // namespace

std::string number_text(const Json& value) {
  return value.is_null() ? "–" : fixed(value.get<double>(), kDigits);
}

std::string interval_text(const Json& interval, char open, char close) {
  if (interval.is_null()) {
    return "";
  }
  std::string text{' ', open};
  text.append(number_text(interval[0])).append(", ").append(number_text(interval[1]));
  text.push_back(close);
  return text;
}

std::string interval_text(const Interval& interval) {
  return interval_text(Json{interval.low, interval.high});
}

std::string auc_text(const Json& block) {
  return number_text(block["auc"]) + interval_text(block["auc_bootstrap_ci"]);
}

std::string question_title(const std::string& question) {
  std::string title = question;
  std::replace(title.begin(), title.end(), '_', ' ');
  return title;
}

TextTable staging_group_table(const StagingResults& results, const std::string& group) {
  TextTable table{{"row", "runs", "n (S4; S2–4)"}};
  for (const std::string& question : kStagingQuestions) {
    const std::string title = question_title(question);
    for (const std::string& column :
         {title + " AUC [bootstrap] (DeLong)", std::string("sd over seeds"),
          std::string("sd over folds"), title + " ACC at 0.5 [Wilson]"}) {
      table[0].push_back(column);
    }
  }
  for (const StagingRow& row : results.rows) {
    Line line{row.title, runs_text(row.source), count_text(row, group)};
    for (const std::string& question : kStagingQuestions) {
      add_question(line, row, group, question);
    }
    table.push_back(std::move(line));
    if (const Json paper = paper_of(results, group, row.name); !paper.is_null()) {
      Line figures{"  the paper's figure", "", ""};
      for (const std::string& question : kStagingQuestions) {
        for (const std::string& cell : {figure(paper, question, "auc"), std::string(),
                                        std::string(), figure(paper, question, "acc")}) {
          figures.push_back(cell);
        }
      }
      table.push_back(std::move(figures));
    }
  }
  if (Line line = group == "all" ? baseline_line(results) : Line{}; !line.empty()) {
    table.push_back(std::move(line));
  }
  return table;
}

TextTable domain_table(const StagingResults& results) {
  TextTable table{{"row", "runs", "cirrhosis AUC", "cirrhosis ACC", "substantial fibrosis AUC",
                   "substantial fibrosis ACC"}};
  bool any = results.paper.contains("domains");
  for (const StagingRow& row : results.rows) {
    Line line{row.title, runs_text(row.source)};
    const Json* spread = row.scored && !row.document["groups"].is_null()
                             ? &row.document["groups"]["over_domains"]
                             : nullptr;
    any = any || spread != nullptr;
    Line figures{"  the paper's figure", ""};
    const Json paper = paper_of(results, "domains", row.name);
    for (const std::string& question : kStagingQuestions) {
      for (const char* key : {"auc", "acc"}) {
        line.push_back(spread == nullptr ? kMissing : spread_text((*spread)[question][key]));
        figures.push_back(paper.is_null() ? "" : figure(paper, question, key));
      }
    }
    table.push_back(std::move(line));
    if (!paper.is_null()) {
      table.push_back(std::move(figures));
    }
  }
  return any ? table : TextTable{};
}

TextTable staging_difference_table(const StagingResults& results) {
  TextTable table{{"difference", "patients of", "question", "n", "AUC difference [bootstrap]",
                   "DeLong p", "Holm p", "McNemar p", "Holm p"}};
  const auto title = [&](const std::string& name) {
    return std::find_if(results.rows.begin(), results.rows.end(),
                        [&](const StagingRow& row) { return row.name == name; })
        ->title;
  };
  const auto p = [](const std::optional<double>& value) { return value ? p_text(*value) : "–"; };
  for (const StagingDifference& difference : results.differences) {
    const std::string name = title(difference.row) + " − " + title(difference.minus);
    if (!difference.missing.empty()) {
      table.push_back({name, difference.group, "–", "–", difference.missing, "–", "–", "–", "–"});
    }
    for (const HeadComparison& c : difference.questions) {
      table.push_back({name, difference.group, question_title(name_of(c.task)), std::to_string(c.n),
                       (c.difference ? fixed(*c.difference, kDigits) : "–") +
                           (c.interval ? interval_text(*c.interval) : ""),
                       p(c.delong_p), p(c.delong_holm_p), p(c.mcnemar_p), p(c.mcnemar_holm_p)});
    }
  }
  return table.size() > 1 ? table : TextTable{};
}

std::vector<std::string> staging_conventions(const StagingResults& results) {
  return {
      "Patients are counted; the scores of a patient's sequences are fused by the mean of "
      "probabilities unless results.json names another rule. Cirrhosis: S4 against S1–3. "
      "Substantial fibrosis: S2–4 against S1.",
      "AUC: mean over seeds of the AUC of all patients together (ties count one half). ACC: of "
      "calls at 0.5, mean over seeds.",
      "[ ] beside an AUC: 95 % percentile bootstrap, " +
          std::to_string(results.options.bootstrap.draws) +
          " draws of patients within stages, each averaging the AUC over seeds. ( ): DeLong. [ ] "
          "beside an ACC: Wilson. DeLong and Wilson are of the seed with the median AUC.",
      "No interval holds the variation between training sets: that of other folds and other "
      "random starts. The sd over seeds is that of the AUCs whose mean is shown; the sd over "
      "folds is of each fold's AUC, averaged over seeds. The spread of ACC is in table.csv.",
      "Differences are paired over patients and seeds: interval by bootstrap, DeLong's test, exact "
      "McNemar of the calls at 0.5; of several seeds the median p. Holm over the pairs of one "
      "question and group.",
      "CAM in the liver: the share of the activation map for the true stage that lies in the mask; "
      "beside it the share that the mask has of the box. Means over sequences and seeds, then over "
      "patients.",
      "Fitted cuts: of the training patients' out-of-fold scores, never of a patient that is "
      "called "
      "with them; youden has the largest sensitivity + specificity, sensitivity_90 is the largest "
      "with a sensitivity of 0.9 there. Means over seeds.",
      "± over domains is the standard deviation of the domains' figures (divisor n − 1).",
      "The paper's figures are copied from it, for other data, and stand beside for orientation "
      "only.",
  };
}

}  // namespace hepar::detail
