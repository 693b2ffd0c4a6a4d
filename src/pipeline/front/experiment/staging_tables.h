#pragma once
#include <string>
#include <vector>

#include "experiment/staging_results.h"

namespace hepar::detail {

/// Rows of one group: AUC, its spreads and ACC of both questions, the paper's figures below.
TextTable staging_group_table(const StagingResults& results, const std::string& group);
/// Mean ± sd over domains; empty without domains.
TextTable domain_table(const StagingResults& results);
/// Paired differences; empty without any.
TextTable staging_difference_table(const StagingResults& results);
/// AUC of each sequence alone, of subsets, and fused; empty for scores of patients.
TextTable sequence_table(const StagingResults& results, const std::string& question);
/// AUC after sequences were removed at random; empty for scores of patients.
TextTable removal_table(const StagingResults& results);
/// Sensitivity, specificity and accuracy at cuts fitted on other patients; empty without folds and
/// `table.fit`.
TextTable cut_table(const StagingResults& results);
/// Volumes that were not cropped to a plausible mask; empty where it is not known.
TextTable fallback_table(const StagingResults& results);

/// Activation in the liver and what an exchanged cue changes; empty where neither is known.
TextTable evidence_table(const StagingResults& results);
/// AUC beside that with noise outside of the liver; empty where it was not asked for.
TextTable noise_table(const StagingResults& results);

/// Cells of these tables, four digits; "–" for null.
std::string number_text(const Json& value);
/// " [low, high]"; empty for null.
std::string interval_text(const Json& interval, char open = '[', char close = ']');
std::string interval_text(const Interval& interval);
/// The AUC of a block of scores with its bootstrap interval.
std::string auc_text(const Json& block);

std::string question_title(const std::string& question);  ///< "substantial fibrosis"
std::vector<std::string> staging_conventions(const StagingResults& results);

}  // namespace hepar::detail
