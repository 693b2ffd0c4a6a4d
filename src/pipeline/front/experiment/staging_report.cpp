#include "experiment/staging_report.h"

#include "experiment/csv_text.h"
#include "experiment/row_trials.h"
#include "experiment/staging_results.h"
#include "experiment/staging_tables.h"
#include "hepar/core/text.h"

namespace hepar::detail {
namespace {

using Line = std::vector<std::string>;

std::string number_of(const Json& value) {
  return value.is_null() ? "" : fixed(value.get<double>(), 6);
}

void add_interval(Line& line, const Json& interval) {
  line.push_back(interval.is_null() ? "" : number_of(interval[0]));
  line.push_back(interval.is_null() ? "" : number_of(interval[1]));
}

Line csv_line(const StagingRow& row, const std::string& group, const std::string& question) {
  Line line{quoted(row.name), quoted(group), question};
  if (const Json* blocks = block_of(row, group)) {
    const Json& block = (*blocks)[question];
    const auto folds = row.folds.find(group);
    const auto over_folds = [&](const char* key) {
      return folds == row.folds.end() || folds->second.is_null()
                 ? Json(nullptr)
                 : folds->second[question][key]["sd_over_folds"];
    };
    for (const char* key : {"n", "n_pos", "n_neg"}) {
      line.push_back(block[key].dump());
    }
    line.push_back(number_of(block["auc"]));
    add_interval(line, block["auc_bootstrap_ci"]);
    add_interval(line, block["auc_delong_ci"]);
    line.push_back(number_of(block.value("auc_sd_over_seeds", Json(nullptr))));
    line.push_back(number_of(over_folds("auc")));
    line.push_back(number_of(block["acc"]));
    add_interval(line, block["acc_wilson_ci"]);
    line.push_back(number_of(block.value("acc_sd_over_seeds", Json(nullptr))));
    line.push_back(number_of(over_folds("acc")));
    line.push_back(number_of(block["acc_prior_corrected"]));
  } else {
    constexpr std::size_t kNumbers = 16;
    line.insert(line.end(), kNumbers, "");
  }
  for (const Line& texts : {row.source.runs, row.source.missing}) {
    line.push_back(quoted(join(texts, "; ")));
  }
  for (const Line& texts : {row.source.trials, row.source.code_versions}) {
    line.push_back(quoted(join(texts, " ")));
  }
  return line;
}

TextTable csv_lines(const StagingResults& results) {
  TextTable lines{split(
      "row,group,question,n,n_pos,n_neg,auc,auc_bootstrap_low,auc_bootstrap_high,auc_delong_low,"
      "auc_delong_high,auc_sd_over_seeds,auc_sd_over_folds,acc,acc_wilson_low,acc_wilson_high,"
      "acc_sd_over_seeds,acc_sd_over_folds,acc_prior_corrected,runs,missing,trials,code",
      ',')};
  for (const StagingRow& row : results.rows) {
    for (const std::string& group : results.groups) {
      for (const std::string& question : kStagingQuestions) {
        lines.push_back(csv_line(row, group, question));
      }
    }
  }
  return lines;
}

Json json_of(const StagingResults& results) {
  Json json{{"experiment", results.experiment}, {"kind", "staging"},
            {"title", results.title},           {"report_by", results.code_version},
            {"notes", results.notes},           {"rows", Json::array()},
            {"differences", Json::array()},     {"evidence", Json::array()},
            {"paper", results.paper},           {"conventions", staging_conventions(results)}};
  for (const StagingRow& row : results.rows) {
    json["rows"].push_back({{"row", row.name},
                            {"title", row.title},
                            {"fusion", row.fusion},
                            {"runs", row.source.runs},
                            {"missing", row.source.missing},
                            {"trials", row.source.trials},
                            {"score_hashes", row.source.score_hashes},
                            {"code", row.source.code_versions},
                            {"steps", row.source.steps ? Json(*row.source.steps) : Json(nullptr)},
                            {"scores", row.document},
                            {"scores_with_noise", row.noise},
                            {"folds", row.folds}});
  }
  for (const StagingDifference& difference : results.differences) {
    Json entry{{"group", difference.group},
               {"row", difference.row},
               {"minus", difference.minus},
               {"questions", to_json(difference.questions)}};
    entry["missing"] = difference.missing.empty() ? Json(nullptr) : Json(difference.missing);
    json["differences"].push_back(std::move(entry));
  }
  for (const EvidenceLine& line : results.evidence) {
    json["evidence"].push_back(to_json(line));
  }
  return json;
}

void add_part(ReportTables& tables, const std::string& heading, const std::string& caption,
              TextTable lines) {
  if (!lines.empty()) {
    tables.parts.push_back({heading, caption, std::move(lines)});
  }
}

std::string title_of_group(const StagingResults& results, const std::string& group) {
  if (group == "all") {
    return "all patients";
  }
  if (group == "OOD") {
    return "OOD: domain " + join(results.options.ood, ", ");
  }
  return group == "ID" ? "ID: the other domains" : "domain " + group;
}

}  // namespace

ReportTables staging_report(const TrialStore& store) {
  const StagingResults results = collect_staging(store);
  std::vector<std::pair<std::string, std::string>> rows;
  std::map<std::string, RowTrials> sources;
  for (const StagingRow& row : results.rows) {
    rows.emplace_back(row.name, row.title);
    sources[row.name] = row.source;
  }
  ReportTables tables{
      .title = results.title,
      .origin = "experiment " + results.experiment + ", report by hepar " + results.code_version,
      .notes = results.notes,
      .parts = {},
      .sources = source_table(rows, sources),
      .conventions = staging_conventions(results),
      .numbers = csv_lines(results),
      .json = json_of(results)};
  for (const std::string& group : results.groups) {
    const std::string title = title_of_group(results, group);
    add_part(tables, title, title, staging_group_table(results, group));
  }
  add_part(tables, "Mean ± sd over domains", "mean ± sd over domains", domain_table(results));
  add_part(tables, "Paired differences", "paired differences", staging_difference_table(results));
  add_part(tables, "Calls at fitted cuts", "calls at fitted cuts", cut_table(results));
  for (const std::string& question : kStagingQuestions) {
    const std::string title = "AUC of single sequences, " + question_title(question);
    add_part(tables, title, title, sequence_table(results, question));
  }
  add_part(tables, "AUC after removing sequences at random",
           "AUC after removing sequences at random (mean ± sd over draws)", removal_table(results));
  add_part(tables, "What the scores rest on", "what the scores rest on", evidence_table(results));
  add_part(tables, "Noise outside of the liver", "noise outside of the liver",
           noise_table(results));
  add_part(tables, "Volumes without a plausible mask", "volumes without a plausible mask",
           fallback_table(results));
  return tables;
}

}  // namespace hepar::detail
