#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "hepar/pipeline/call_metrics.h"
#include "hepar/pipeline/staging_scores.h"
#include "staging/document_parts.h"
#include "staging/json_values.h"

namespace hepar {
namespace {

using detail::json_of;
using Patients = std::vector<std::size_t>;

template <class Keep>
Patients patients_where(const PatientTable& table, const Keep& keep) {
  Patients found;
  for (std::size_t i = 0; i < table.patients.size(); ++i) {
    if (keep(table.patients[i])) {
      found.push_back(i);
    }
  }
  return found;
}

std::optional<double> accuracy_of(StagingTask task, const RunOfTable& of) {
  std::vector<bool> called;
  for (const std::size_t i : of.patients) {
    called.push_back(is_called(task, of.table.scores[of.run][i]));
  }
  return accuracy(count_calls(called, ranking(task, of).positive));
}

/// One number for each [fold][seed]; none where it is undefined.
using FoldGrid = std::vector<std::vector<std::optional<double>>>;

std::vector<double> defined(const std::vector<std::optional<double>>& values) {
  std::vector<double> kept;
  for (const std::optional<double>& value : values) {
    if (value) {
      kept.push_back(*value);
    }
  }
  return kept;
}

FoldGrid transposed(const FoldGrid& grid) {
  FoldGrid result(grid.front().size());
  for (const auto& row : grid) {
    for (std::size_t s = 0; s < row.size(); ++s) {
      result[s].push_back(row[s]);
    }
  }
  return result;
}

/// The sd of the rows' means.
Json sd_of_means(const FoldGrid& grid) {
  std::vector<double> means;
  for (const auto& row : grid) {
    const std::vector<double> values = defined(row);
    if (!values.empty()) {
      means.push_back(mean(values));
    }
  }
  return detail::mean_and_sd(means)["sd"];
}

Json grid_json(const FoldGrid& grid) {
  std::vector<double> all;
  std::size_t cells = 0;
  for (const auto& row : grid) {
    const std::vector<double> values = defined(row);
    all.insert(all.end(), values.begin(), values.end());
    cells += row.size();
  }
  Json json = detail::mean_and_sd(all);
  json["sd_over_folds"] = sd_of_means(grid);
  json["sd_over_seeds"] = sd_of_means(transposed(grid));
  json["n"] = all.size();
  json["n_undefined"] = cells - all.size();
  return json;
}

/// Share of a stage among the patients of a domain, or of all when the domain is not there.
StageScore share_in_domain(const std::vector<ScoredPatient>& source, const Patients& fitted_on,
                           const std::string& domain) {
  const auto shares = [&](bool any_domain) {
    StageProbabilities counts{};
    double n = 0;
    for (const std::size_t i : fitted_on) {
      if (any_domain || source[i].domain == domain) {
        ++counts.at(static_cast<std::size_t>(source[i].stage - 1));
        ++n;
      }
    }
    for (double& count : counts) {
      count /= n > 0 ? n : 1;
    }
    return std::pair(n, counts);
  };
  auto [n, counts] = shares(false);
  if (n == 0) {
    counts = shares(true).second;
  }
  return {.q4 = counts[3], .q1 = counts[0], .stages = counts};
}

Json group_block(const StagingEvidence& evidence, const Patients& patients,
                 const StagingScoreOptions& options) {
  Json block{{"n", patients.size()}};
  for (const StagingTask task : kStagingTasks) {
    block[name_of(task)] = question_block(task, evidence, patients, options);
  }
  block["stages"] = stage_block(evidence, patients);
  return block;
}

/// Mean ± sd of a number over domains where it is defined.
Json over_domains(const Json& domains, StagingTask task, const char* key) {
  std::vector<double> values;
  for (const Json& group : domains) {
    if (!group[name_of(task)][key].is_null()) {
      values.push_back(group[name_of(task)][key].get<double>());
    }
  }
  Json json = detail::mean_and_sd(values);
  json["n"] = values.size();
  json["n_undefined"] = domains.size() - values.size();
  return json;
}

}  // namespace

Json fold_block(const PatientTable& scored) {
  const FitPlan plan = make_fit_plan(scored.patients, nullptr);
  if (plan.groups.empty()) {
    return nullptr;
  }
  Json block;
  for (const StagingTask task : kStagingTasks) {
    FoldGrid aucs;
    FoldGrid accs;
    for (const FitGroup& fold : plan.groups) {
      aucs.emplace_back();
      accs.emplace_back();
      for (std::size_t run = 0; run < scored.seeds.size(); ++run) {
        const RunOfTable of{scored, run, fold.applied_to};
        aucs.back().push_back(auc(ranking(task, of)));
        accs.back().push_back(accuracy_of(task, of));
      }
    }
    block[name_of(task)] = {{"auc", grid_json(aucs)}, {"acc", grid_json(accs)}};
  }
  block["folds"] = plan.groups.size();
  block["seeds"] = scored.seeds.size();
  return block;
}

Json domain_only_block(const StagingEvidence& evidence) {
  const PatientTable& scored = evidence.scored;
  if (!scored.has_domain || !evidence.source.has_domain) {
    return nullptr;
  }
  Json block;
  FitPlan plan = evidence.plan;
  const Patients all = patients_where(scored, [](const ScoredPatient&) { return true; });
  block["fitted_on"] = plan.external ? "the fitting table" : "the other folds";
  if (plan.groups.empty()) {
    plan.groups = {{"the same cases", all, all}};
    block["fitted_on"] = "the scored cases themselves: optimistic";
  }
  PatientTable baseline = scored;
  baseline.seeds = {0};
  baseline.scores.assign(1, std::vector<StageScore>(scored.patients.size()));
  for (const FitGroup& group : plan.groups) {
    for (const std::size_t i : group.applied_to) {
      baseline.scores[0][i] =
          share_in_domain(evidence.source.patients, group.fitted_on, scored.patients[i].domain);
    }
  }
  for (const StagingTask task : kStagingTasks) {
    const AucEstimate estimate = delong(ranking(task, {baseline, 0, all}));
    block[name_of(task)] = {{"auc", json_of(estimate.auc)},
                            {"auc_delong_ci", json_of(estimate.interval)}};
  }
  return block;
}

Json detail::groups_json(const StagingEvidence& evidence, const StagingScoreOptions& options) {
  const PatientTable& scored = evidence.scored;
  if (!scored.has_domain) {
    return nullptr;
  }
  std::set<std::string> names;
  for (const ScoredPatient& patient : scored.patients) {
    names.insert(patient.domain);
  }
  Json groups{{"domains", Json::object()}};
  for (const std::string& name : names) {
    groups["domains"][name] = group_block(
        evidence,
        patients_where(scored,
                       [&](const ScoredPatient& patient) { return patient.domain == name; }),
        options);
  }
  const auto is_ood = [&](const ScoredPatient& patient) {
    return std::find(options.ood.begin(), options.ood.end(), patient.domain) != options.ood.end();
  };
  groups["ID"] = group_block(
      evidence, patients_where(scored, [&](const auto& patient) { return !is_ood(patient); }),
      options);
  groups["OOD"] = group_block(evidence, patients_where(scored, is_ood), options);
  groups["ood_domains"] = options.ood;
  for (const StagingTask task : kStagingTasks) {
    groups["over_domains"][name_of(task)] = {{"auc", over_domains(groups["domains"], task, "auc")},
                                             {"acc", over_domains(groups["domains"], task, "acc")}};
  }
  return groups;
}

}  // namespace hepar
