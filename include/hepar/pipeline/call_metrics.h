#pragma once
#include <hepar/pipeline/statistics.h>

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

namespace hepar {

/// Yes/no calls against the truth.
struct CallCounts {
  std::size_t true_positives = 0, false_positives = 0, true_negatives = 0, false_negatives = 0;
};

/// Throws ShapeError on lists of different lengths.
CallCounts count_calls(const std::vector<bool>& called, const std::vector<bool>& positive);

// Null when the classes they divide by are absent.
std::optional<double> accuracy(const CallCounts& counts);
std::optional<double> sensitivity(const CallCounts& counts);
std::optional<double> specificity(const CallCounts& counts);
std::optional<double> balanced_accuracy(const CallCounts& counts);
std::optional<double> f1(const CallCounts& counts);  ///< null without a positive case
/// Matthews' correlation; 0 when all calls are the same (sklearn), null when all truths are.
std::optional<double> matthews(const CallCounts& counts);

/// Wilson's score interval of a share (Wilson 1927). Throws Error when `of` is 0.
struct Share {
  std::size_t successes = 0, of = 0;
};
Interval wilson(const Share& share, double level = 0.95);

/// Calls that only one of two heads has right.
struct DiscordantCalls {
  std::size_t first_only = 0, second_only = 0;
};
/// Exact two-sided McNemar test: binomial with probability ½; 1 without discordant calls.
double mcnemar_exact(const DiscordantCalls& discordant);

constexpr std::size_t kStages = 4;

/// Counts by [true stage − 1][called stage − 1].
using StageConfusion = std::array<std::array<std::size_t, kStages>, kStages>;

/// Stages 1 to 4. Throws ShapeError on lists of different lengths.
StageConfusion confusion(const std::vector<int>& truth, const std::vector<int>& called);

/// Cohen's kappa with quadratic weights over the four stages; null when no disagreement is expected
/// by chance (one stage only, or no case).
std::optional<double> quadratic_weighted_kappa(const StageConfusion& confusion);
/// Mean of |called − true| in stages; null without a case.
std::optional<double> stage_mae(const StageConfusion& confusion);

}  // namespace hepar
