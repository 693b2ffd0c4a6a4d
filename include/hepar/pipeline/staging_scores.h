#pragma once
#include <hepar/core/json.h>
#include <hepar/pipeline/cross_fit.h>
#include <hepar/pipeline/fusion.h>
#include <hepar/pipeline/staging_task.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hepar {

struct StagingScoreOptions {
  BootstrapOptions bootstrap{.draws = 2000};
  std::int64_t ece_bins = 5;
  std::vector<std::string> ood{"C"};           ///< domains out of the training distribution
  StagePrior sampler{0.25, 0.25, 0.25, 0.25};  ///< what the head was shown in training
  std::vector<std::string> contrast{"GED1", "GED2", "GED3", "GED4"};
  std::vector<std::string> non_contrast{"T1", "T2", "DWI_800"};
  std::int64_t removal_draws = 20, most_removed = 5;
};

/// A head's scores, and what may be fitted for them on whom. `source` is `scored` itself unless the
/// plan is external.
struct StagingEvidence {
  const ViewTable& views;
  const PatientTable& scored;
  const FitPlan& plan;
  const PatientTable& source;
  const FusionConfig& fusion;
  const FusionFit& fit;  ///< its priors are the training priors of the scored patients
};

/// One question over some patients: `positive`, `n_pos`, `n_neg`, `threshold`, AUC with its
/// intervals, ACC and everything else of docs/scores.md. A number is null where it is undefined.
/// Several runs: means over those that have it, DeLong and counts of the run with the median AUC.
Json question_block(StagingTask task, const StagingEvidence& evidence,
                    const std::vector<std::size_t>& patients, const StagingScoreOptions& options);

/// The four stages: rule of the call, confusion, quadratic weighted kappa, MAE.
Json stage_block(const StagingEvidence& evidence, const std::vector<std::size_t>& patients);

/// `cirrhosis`, `substantial_fibrosis`, `official_s1`, `stages` and `n` over all patients; `groups`
/// (each domain, ID, OOD), mean ± sd over domains, over folds × seeds, cross-fitted thresholds, the
/// domain-only baseline, `views` of a per-sequence table. Depends on tables and options only.
Json score_document(const StagingEvidence& evidence, const StagingScoreOptions& options);

// Parts of it, null where the table does not allow them.
Json fold_block(const PatientTable& scored);
Json threshold_block(const StagingEvidence& evidence, const StagingScoreOptions& options);
Json domain_only_block(const StagingEvidence& evidence);
Json view_block(const StagingEvidence& evidence, const StagingScoreOptions& options);

/// What two heads say of the patients both scored.
struct HeadComparison {
  std::string first = {}, second = {};
  StagingTask task = StagingTask::kCirrhosis;
  std::size_t n = 0, only_first = 0, only_second = 0;  ///< patients of both, of one alone
  std::optional<double> difference = {};               ///< of the AUCs averaged over seeds
  std::optional<Interval> interval = {};               ///< paired bootstrap over patients
  /// Of the seed with the median p; Holm's family is all comparisons of one question.
  std::optional<double> delong_p = {}, delong_holm_p = {}, mcnemar_p = {}, mcnemar_holm_p = {};
  std::size_t delong_seeds = 0;  ///< seeds whose DeLong test is defined
};

struct NamedHead {
  std::string name;
  const PatientTable* table = nullptr;
};

/// Cirrhosis and substantial fibrosis for each pair (indices into `heads`). Throws DataError when
/// two tables give a patient two stages, have no patient in common or other seeds (unless both have
/// one).
std::vector<HeadComparison> compare_heads(
    const std::vector<NamedHead>& heads,
    const std::vector<std::pair<std::size_t, std::size_t>>& pairs, const BootstrapOptions& options);
Json to_json(const std::vector<HeadComparison>& comparisons);

}  // namespace hepar
