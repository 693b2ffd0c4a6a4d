#include "hepar/pipeline/cuts.h"

#include <algorithm>
#include <cmath>

#include "hepar/pipeline/call_metrics.h"
#include "staging/source_runs.h"

namespace hepar {
namespace {

constexpr double kWantedSensitivity = 0.9;
constexpr double kRounding = 1e-12;

CallCounts calls_at(const RocSample& sample, double cut) {
  std::vector<bool> called(sample.scores.size());
  std::transform(sample.scores.begin(), sample.scores.end(), called.begin(),
                 [cut](double score) { return score >= cut; });
  return count_calls(called, sample.positive);
}

std::vector<double> middles(std::vector<double> scores) {
  std::sort(scores.begin(), scores.end());
  scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
  std::vector<double> cuts;
  for (std::size_t i = 1; i < scores.size(); ++i) {
    cuts.push_back(scores[i - 1] + (scores[i] - scores[i - 1]) / 2);
  }
  return cuts;
}

double youden_cut(const RocSample& sample, const std::vector<double>& cuts) {
  double best = cuts.front();
  double best_value = -2;
  for (const double cut : cuts) {
    const CallCounts counts = calls_at(sample, cut);
    const double value = *sensitivity(counts) + *specificity(counts) - 1;
    const bool nearer = std::abs(cut - 0.5) < std::abs(best - 0.5);
    if (value > best_value + kRounding || (value > best_value - kRounding && nearer)) {
      best = cut;
      best_value = std::max(value, best_value);
    }
  }
  return best;
}

double sensitivity_cut(const RocSample& sample, const std::vector<double>& cuts) {
  const auto found = std::find_if(cuts.rbegin(), cuts.rend(), [&](double cut) {
    return *sensitivity(calls_at(sample, cut)) >= kWantedSensitivity - kRounding;
  });
  return found != cuts.rend() ? *found
                              : *std::min_element(sample.scores.begin(), sample.scores.end());
}

RocSample fitting_sample(const CutRequest& request, std::int64_t seed, const PatientTable& source,
                         const std::vector<std::size_t>& patients) {
  RocSample all;
  for (const std::size_t run : detail::source_runs(source.seeds, seed)) {
    const RocSample one =
        probabilities(request.task, {.table = source, .run = run, .patients = patients});
    all.scores.insert(all.scores.end(), one.scores.begin(), one.scores.end());
    all.positive.insert(all.positive.end(), one.positive.begin(), one.positive.end());
  }
  return all;
}

}  // namespace

const char* name_of(CutRule rule) { return rule == CutRule::kYouden ? "youden" : "sensitivity_90"; }

std::optional<double> fit_cut(CutRule rule, const RocSample& sample) {
  const std::vector<double> cuts = middles(sample.scores);
  const auto yes = std::count(sample.positive.begin(), sample.positive.end(), true);
  if (cuts.empty() || yes == 0 || yes == static_cast<std::ptrdiff_t>(sample.positive.size())) {
    return std::nullopt;
  }
  return rule == CutRule::kYouden ? youden_cut(sample, cuts) : sensitivity_cut(sample, cuts);
}

double recalibrated(double probability, double cut) {
  constexpr double kSmallest = 1e-6;
  const double kept = std::clamp(cut, kSmallest, 1 - kSmallest);
  return probability < kept ? 0.5 * probability / kept
                            : 0.5 + 0.5 * (probability - kept) / (1 - kept);
}

FittedCuts fit_cuts(const PatientTable& scored, const FitPlan& plan, const PatientTable& source,
                    const CutRequest& request) {
  FittedCuts cuts;
  cuts.of_patient.resize(scored.patients.size());
  for (const FitGroup& group : plan.groups) {
    const std::optional<double> cut = fit_cut(
        request.rule, fitting_sample(request, scored.seeds[request.run], source, group.fitted_on));
    cuts.by_group.emplace_back(group.name, cut);
    for (const std::size_t i : group.applied_to) {
      cuts.of_patient[i] = cut;
    }
  }
  return cuts;
}

StageScore recalibrated(const StageScore& score, double cut_q4, double cut_q1) {
  return {.q4 = recalibrated(score.q4, cut_q4), .q1 = recalibrated(score.q1, cut_q1)};
}

}  // namespace hepar
