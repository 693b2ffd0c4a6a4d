#include <algorithm>
#include <array>

#include "hepar/pipeline/calibration.h"
#include "hepar/pipeline/call_metrics.h"
#include "hepar/pipeline/staging_scores.h"
#include "staging/json_values.h"

namespace hepar {
namespace {

using detail::json_of;
using Patients = std::vector<std::size_t>;

/// One question put to one run.
struct Question {
  StagingTask task;
  const StagingEvidence& evidence;
  const Patients& patients;
  const StagingScoreOptions& options;
};

CallCounts counts_of(const Question& question, std::size_t run, bool correct_prior) {
  std::vector<bool> called;
  std::vector<bool> positive;
  for (const std::size_t i : question.patients) {
    StageScore score = question.evidence.scored.scores[run][i];
    // A score that is the training prior has nothing left to correct.
    if (correct_prior && !question.evidence.scored.from_prior[i]) {
      score = corrected(
          score, {.train = *question.evidence.fit.priors[i], .sampler = question.options.sampler});
    }
    called.push_back(is_called(question.task, score));
    positive.push_back(is_positive(question.task, question.evidence.scored.patients[i].stage));
  }
  return count_calls(called, positive);
}

bool has_priors(const Question& question) {
  return std::all_of(question.patients.begin(), question.patients.end(),
                     [&](std::size_t i) { return question.evidence.fit.priors[i].has_value(); });
}

void add_calls(Json& block, const Question& question, std::size_t run) {
  const CallCounts counts = counts_of(question, run, false);
  const std::size_t n = question.patients.size();
  block["acc"] = json_of(accuracy(counts));
  block["acc_wilson_ci"] =
      n == 0
          ? Json(nullptr)
          : json_of(wilson({.successes = counts.true_positives + counts.true_negatives, .of = n}));
  block["acc_prior_corrected"] =
      has_priors(question) ? json_of(accuracy(counts_of(question, run, true))) : Json(nullptr);
  block["sensitivity"] = json_of(sensitivity(counts));
  block["specificity"] = json_of(specificity(counts));
  block["balanced_acc"] = json_of(balanced_accuracy(counts));
  block["f1"] = json_of(f1(counts));
  block["mcc"] = json_of(matthews(counts));
  block["confusion"] = {{"tp", counts.true_positives},
                        {"fp", counts.false_positives},
                        {"tn", counts.true_negatives},
                        {"fn", counts.false_negatives}};
}

void add_calibration(Json& block, const RocSample& sample, std::size_t bins,
                     std::vector<std::string>& undefined) {
  const std::vector<ReliabilityBin> reliable = reliability(sample, bins);
  const CalibrationLine line = calibration_line(sample);
  block["brier"] = json_of(brier(sample));
  block["ece"] = json_of(expected_calibration_error(reliable));
  block["calibration_slope"] = json_of(line.slope);
  block["calibration_intercept"] = json_of(line.intercept);
  block["reliability"] = Json::array();
  for (const ReliabilityBin& bin : reliable) {
    block["reliability"].push_back({{"mean_probability", bin.mean_probability},
                                    {"share_positive", bin.share_positive},
                                    {"n", bin.n}});
  }
  if (!line.undefined.empty()) {
    undefined.push_back("calibration: " + line.undefined);
  }
}

Json run_block(const Question& question, std::size_t run) {
  const RunOfTable of{question.evidence.scored, run, question.patients};
  const AucEstimate estimate = delong(ranking(question.task, of));
  std::vector<std::string> undefined;
  if (!estimate.undefined.empty()) {
    undefined.push_back("auc: " + estimate.undefined);
  }
  Json block;
  block["auc"] = json_of(estimate.auc);
  block["auc_delong_ci"] = json_of(estimate.interval);
  add_calls(block, question, run);
  add_calibration(block, probabilities(question.task, of),
                  static_cast<std::size_t>(question.options.ece_bins), undefined);
  block["undefined"] = undefined;
  return block;
}

constexpr std::array<const char*, 12> kAveraged{"auc",
                                                "acc",
                                                "acc_prior_corrected",
                                                "sensitivity",
                                                "specificity",
                                                "balanced_acc",
                                                "f1",
                                                "mcc",
                                                "brier",
                                                "ece",
                                                "calibration_slope",
                                                "calibration_intercept"};

std::vector<double> values_of(const std::vector<Json>& runs, const char* key) {
  std::vector<double> values;
  for (const Json& run : runs) {
    if (!run[key].is_null()) {
      values.push_back(run[key].get<double>());
    }
  }
  return values;
}

/// The run with the median AUC; of two in the middle the lower one.
std::size_t median_run(const std::vector<Json>& runs) {
  std::vector<std::size_t> order;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    if (!runs[run]["auc"].is_null()) {
      order.push_back(run);
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return runs[a]["auc"].get<double>() < runs[b]["auc"].get<double>();
  });
  return order.empty() ? 0 : order[(order.size() - 1) / 2];
}

Json shown_block(const std::vector<Json>& runs, const std::vector<std::int64_t>& seeds) {
  const std::size_t median = median_run(runs);
  Json block = runs[median];
  if (runs.size() == 1) {
    return block;
  }
  for (const char* key : kAveraged) {
    const std::vector<double> values = values_of(runs, key);
    block[key] = values.empty() ? Json(nullptr) : Json(mean(values));
  }
  block["auc_sd_over_seeds"] = detail::mean_and_sd(values_of(runs, "auc"))["sd"];
  block["acc_sd_over_seeds"] = detail::mean_and_sd(values_of(runs, "acc"))["sd"];
  block["shown_seed"] = seeds[median];
  block["seeds"] = Json::array();
  for (std::size_t run = 0; run < runs.size(); ++run) {
    block["seeds"].push_back({{"seed", seeds[run]},
                              {"auc", runs[run]["auc"]},
                              {"auc_delong_ci", runs[run]["auc_delong_ci"]},
                              {"acc", runs[run]["acc"]},
                              {"acc_wilson_ci", runs[run]["acc_wilson_ci"]}});
  }
  return block;
}

}  // namespace

Json question_block(StagingTask task, const StagingEvidence& evidence, const Patients& patients,
                    const StagingScoreOptions& options) {
  const Question question{task, evidence, patients, options};
  std::vector<Json> runs;
  for (std::size_t run = 0; run < evidence.scored.seeds.size(); ++run) {
    runs.push_back(run_block(question, run));
  }
  const SeededScores seeded = seeded_scores(task, evidence.scored, patients);
  const auto n_pos = std::count(seeded.positive.begin(), seeded.positive.end(), true);
  Json block;
  block["positive"] = positive_of(task);
  block["n"] = patients.size();
  block["n_pos"] = n_pos;
  block["n_neg"] = static_cast<std::ptrdiff_t>(patients.size()) - n_pos;
  block["threshold"] = call_rule(task);
  const Json shown = shown_block(runs, evidence.scored.seeds);
  for (const auto& [key, value] : shown.items()) {
    block[key] = value;
    if (key == "auc_delong_ci") {
      block["auc_bootstrap_ci"] = json_of(bootstrap_auc(seeded, options.bootstrap));
    }
  }
  return block;
}

}  // namespace hepar
