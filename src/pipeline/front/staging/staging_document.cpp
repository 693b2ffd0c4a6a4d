#include <hepar/core/text.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>

#include "hepar/pipeline/staging_scores.h"
#include "staging/document_parts.h"

namespace hepar {
namespace {

std::string fixed(const Json& value) {
  if (value.is_null()) {
    return "-";
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4f", value.get<double>());
  return text.data();
}

std::string interval_text(const Json& interval) {
  if (interval.is_null()) {
    return "-";
  }
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "[%.4f, %.4f]", interval[0].get<double>(),
                interval[1].get<double>());
  return text.data();
}

std::string with_interval(const Json& value, const Json& interval) {
  return interval.is_null() ? fixed(value) : join({fixed(value), interval_text(interval)}, " ");
}

using Rows = std::vector<std::vector<std::string>>;

void add_rows(Rows& rows, const std::string& group, const Json& blocks) {
  for (const StagingTask task : kStagingTasks) {
    const Json& block = blocks[name_of(task)];
    rows.push_back({group, name_of(task), block["n_pos"].dump() + "/" + block["n_neg"].dump(),
                    with_interval(block["auc"], block["auc_delong_ci"]),
                    interval_text(block["auc_bootstrap_ci"]),
                    with_interval(block["acc"], block["acc_wilson_ci"]),
                    fixed(block["sensitivity"]), fixed(block["specificity"])});
  }
}

Rows comparison_rows(const Json& comparisons) {
  Rows rows{{"comparison", "question", "n", "AUC difference [bootstrap]", "DeLong p (Holm)",
             "McNemar p (Holm)"}};
  for (const Json& c : comparisons) {
    rows.push_back({c["first"].get<std::string>() + " - " + c["second"].get<std::string>(),
                    c["question"].get<std::string>(), c["n"].dump(),
                    with_interval(c["auc_difference"], c["auc_difference_bootstrap_ci"]),
                    fixed(c["delong_p"]) + " (" + fixed(c["delong_holm_p"]) + ")",
                    fixed(c["mcnemar_p"]) + " (" + fixed(c["mcnemar_holm_p"]) + ")"});
  }
  return rows;
}

}  // namespace

Json score_document(const StagingEvidence& evidence, const StagingScoreOptions& options) {
  std::vector<std::size_t> all(evidence.scored.patients.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  Json document;
  for (const StagingTask task : kStagingTasks) {
    document[name_of(task)] = question_block(task, evidence, all, options);
  }
  document["n"] = all.size();
  document["n_from_prior"] =
      std::count(evidence.scored.from_prior.begin(), evidence.scored.from_prior.end(), true);
  document["from_prior"] = Json::array();
  for (const std::size_t i : all) {
    if (evidence.scored.from_prior[i]) {
      document["from_prior"].push_back(evidence.scored.patients[i].id);
    }
  }
  document["stages"] = stage_block(evidence, all);
  document["groups"] = detail::groups_json(evidence, options);
  document["folds"] = fold_block(evidence.scored);
  document["thresholds"] = threshold_block(evidence, options);
  document["domain_only"] = domain_only_block(evidence);
  document["views"] = view_block(evidence, options);
  document["seeds"] = evidence.scored.seeds;
  document["fusion"] = evidence.views.per_sequence ? Json(evidence.fusion.rule) : Json(nullptr);
  document["bootstrap"] = {{"draws", options.bootstrap.draws},
                           {"seed", options.bootstrap.seed},
                           {"level", options.bootstrap.level}};
  document["conventions"] = detail::score_conventions(options);
  return document;
}

Json detail::score_conventions(const StagingScoreOptions& options) {
  return {
      {"null", "undefined: a class is absent, or a denominator is 0; `undefined` says why"},
      {"auc", "P(positive above negative) + 0.5 P(equal); several seeds: their mean"},
      {"substantial_fibrosis", "ranked by -q1: its AUC is that of official_s1"},
      {"auc_delong_ci",
       "95 %, normal, clipped to [0, 1]; several seeds: of shown_seed, the median"},
      {"auc_bootstrap_ci",
       "95 % percentile; a draw resamples patients within stages and averages the AUC over seeds; "
       "the variation between training sets is not in it"},
      {"acc", "calls by `threshold`; acc_wilson_ci and confusion: of shown_seed"},
      {"acc_prior_corrected",
       "after weighting the classes by training prior / sampler prior; null without a prior"},
      {"mcc", "0 where all calls are the same"},
      {"ece", std::to_string(options.ece_bins) +
                  " bins of equal mass; equal probabilities share their mean truth"},
      {"calibration_slope", "unpenalised logistic regression on the log odds; 1 is calibrated"},
      {"thresholds",
       "each fold's from the other folds' out-of-fold scores; with --fit from all of "
       "that table; recalibrated: piecewise linear, the cut becomes 0.5"},
      {"folds",
       "mean and sd over folds x seeds; sd_over_folds of means over seeds, sd_over_seeds "
       "of means over folds"},
      {"domain_only", "every patient scored by the shares of S4 and S1 in the domain"},
      {"removed_at_random", "mean and sd of the AUC over draws; one sequence always stays"},
  };
}

std::string detail::score_summary(const Json& document) {
  Rows rows{{"group", "question", "pos/neg", "AUC [DeLong]", "[bootstrap]", "ACC [Wilson]",
             "sensitivity", "specificity"}};
  add_rows(rows, "all", document);
  if (!document["groups"].is_null()) {
    for (const auto& [name, blocks] : document["groups"]["domains"].items()) {
      add_rows(rows, name, blocks);
    }
    add_rows(rows, "ID", document["groups"]["ID"]);
    add_rows(rows, "OOD", document["groups"]["OOD"]);
  }
  std::vector<std::string> parts{format_table(rows)};
  if (!document["comparisons"].is_null()) {
    parts.push_back(format_table(comparison_rows(document["comparisons"])));
  }
  if (document["n_from_prior"].get<std::size_t>() > 0) {
    parts.push_back(document["n_from_prior"].dump() +
                    " patient(s) without a sequence got the prior");
  }
  return join(parts, "\n");
}

}  // namespace hepar
