#pragma once
#include <hepar/pipeline/statistics.h>

#include <optional>
#include <vector>

namespace hepar {

/// Patients with their scores in every run (seed) of one training recipe.
struct SeededScores {
  std::vector<std::vector<double>> scores;  ///< [seed][patient]
  std::vector<bool> positive;               ///< [patient]
  std::vector<int> stratum;  ///< [patient]; a draw keeps the number of patients of each
};

/// Mean over seeds of the AUC; null when a class is absent.
std::optional<double> mean_auc(const SeededScores& patients);

/// Percentile interval of mean_auc: a draw resamples patients within their strata and averages the
/// AUC over seeds (PROTOCOL §5). Depends on patients, their order, and options only. Null when a
/// class is absent.
std::optional<Interval> bootstrap_auc(const SeededScores& patients,
                                      const BootstrapOptions& options);

/// The same for mean_auc(first) − mean_auc(second); both meet the same draws. They must agree in
/// everything but scores (ShapeError).
std::optional<Interval> bootstrap_auc_difference(const SeededScores& first,
                                                 const SeededScores& second,
                                                 const BootstrapOptions& options);

}  // namespace hepar
