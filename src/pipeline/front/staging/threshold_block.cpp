#include <array>

#include "hepar/pipeline/calibration.h"
#include "hepar/pipeline/call_metrics.h"
#include "hepar/pipeline/cuts.h"
#include "hepar/pipeline/staging_scores.h"
#include "staging/json_values.h"

namespace hepar {
namespace {

using detail::json_of;

/// Calls and recalibrated probabilities of one run with each patient's own cut.
struct AppliedCuts {
  std::vector<bool> called;
  RocSample recalibrated;
  bool complete = true;  ///< every patient has a cut
};

AppliedCuts apply(const FittedCuts& cuts, const PatientTable& scored, const CutRequest& request) {
  AppliedCuts applied;
  for (std::size_t i = 0; i < scored.patients.size(); ++i) {
    if (!cuts.of_patient[i]) {
      applied.complete = false;
      return applied;
    }
    const StageScore& score = scored.scores[request.run][i];
    applied.called.push_back(is_called(request.task, score, *cuts.of_patient[i]));
    applied.recalibrated.scores.push_back(
        recalibrated(probability(request.task, score), *cuts.of_patient[i]));
    applied.recalibrated.positive.push_back(is_positive(request.task, scored.patients[i].stage));
  }
  return applied;
}

Json cuts_json(const FittedCuts& cuts) {
  Json json = Json::object();
  for (const auto& [group, cut] : cuts.by_group) {
    json[group] = json_of(cut);
  }
  return json;
}

Json applied_json(const AppliedCuts& applied, std::size_t ece_bins) {
  if (!applied.complete) {
    return {{"undefined", "a fitting set lacks a class, or its scores are all equal"}};
  }
  const CallCounts counts = count_calls(applied.called, applied.recalibrated.positive);
  const CalibrationLine line = calibration_line(applied.recalibrated);
  return {
      {"acc", json_of(accuracy(counts))},
      {"acc_wilson_ci", json_of(wilson({.successes = counts.true_positives + counts.true_negatives,
                                        .of = applied.called.size()}))},
      {"sensitivity", json_of(sensitivity(counts))},
      {"specificity", json_of(specificity(counts))},
      {"balanced_acc", json_of(balanced_accuracy(counts))},
      {"f1", json_of(f1(counts))},
      {"mcc", json_of(matthews(counts))},
      {"recalibrated",
       {{"auc", json_of(auc(applied.recalibrated))},
        {"brier", json_of(brier(applied.recalibrated))},
        {"ece", json_of(expected_calibration_error(reliability(applied.recalibrated, ece_bins)))},
        {"calibration_slope", json_of(line.slope)},
        {"calibration_intercept", json_of(line.intercept)}}}};
}

}  // namespace

Json threshold_block(const StagingEvidence& evidence, const StagingScoreOptions& options) {
  if (evidence.plan.groups.empty()) {
    return nullptr;
  }
  Json block;
  block["fitted_on"] = evidence.plan.external
                           ? "all out-of-fold scores of " + evidence.source.where
                           : std::string("the out-of-fold scores of the other folds");
  for (const StagingTask task : kStagingTasks) {
    for (const CutRule rule : {CutRule::kYouden, CutRule::kSensitivity90}) {
      Json runs = Json::array();
      for (std::size_t run = 0; run < evidence.scored.seeds.size(); ++run) {
        const CutRequest request{.task = task, .rule = rule, .run = run};
        const FittedCuts cuts = fit_cuts(evidence.scored, evidence.plan, evidence.source, request);
        Json entry{{"seed", evidence.scored.seeds[run]}, {"thresholds", cuts_json(cuts)}};
        entry.update(applied_json(apply(cuts, evidence.scored, request),
                                  static_cast<std::size_t>(options.ece_bins)));
        runs.push_back(std::move(entry));
      }
      block[name_of(task)][name_of(rule)] = std::move(runs);
    }
  }
  return block;
}

}  // namespace hepar
