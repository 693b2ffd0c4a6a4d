#pragma once
#include <hepar/pipeline/cross_fit.h>
#include <hepar/pipeline/roc.h>
#include <hepar/pipeline/staging_task.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hepar {

enum class CutRule {
  kYouden,         ///< largest sensitivity + specificity − 1; of equal ones the nearest to 0.5
  kSensitivity90,  ///< largest cut with a sensitivity of 0.9 or more
};
const char* name_of(CutRule rule);  ///< "youden", "sensitivity_90"

/// A cut between two neighbouring scores (their middle), so that none lies on it; the smallest
/// score where only that keeps the sensitivity. Null when a class is absent or all scores are
/// equal.
std::optional<double> fit_cut(CutRule rule, const RocSample& probabilities);

/// Straight from 0 to `cut` and from `cut` to 1, so that `cut` becomes 0.5: order is kept, and a
/// call at 0.5 afterwards is the call at `cut` before. The cut is kept within [1e-6, 1 − 1e-6].
double recalibrated(double probability, double cut);

/// Cuts of a run, each fitted on the patients that its group may learn from.
struct FittedCuts {
  std::vector<std::pair<std::string, std::optional<double>>> by_group;
  std::vector<std::optional<double>> of_patient;
};
struct CutRequest {
  StagingTask task = StagingTask::kCirrhosis;
  CutRule rule = CutRule::kYouden;
  std::size_t run = 0;  ///< of the scored table
};
FittedCuts fit_cuts(const PatientTable& scored, const FitPlan& plan, const PatientTable& source,
                    const CutRequest& request);

/// q4 and q1 recalibrated by the cuts of their questions; four columns fall away.
StageScore recalibrated(const StageScore& score, double cut_q4, double cut_q1);

}  // namespace hepar
