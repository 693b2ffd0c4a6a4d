#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hepar {

struct Interval {
  double low = 0, high = 0;
};

/// Throws Error on an empty list, as do all functions here that say nothing else.
double mean(const std::vector<double>& values);
/// Divisor n − 1; 0 for one value.
double standard_deviation(const std::vector<double>& values);
/// The p-quantile by linear interpolation between order statistics (numpy's default; p in [0, 1]).
double quantile(std::vector<double> values, double p);

struct BootstrapOptions {
  std::int64_t draws = 10000;
  double level = 0.95;
  std::uint64_t seed = 0;
};

/// Percentile bootstrap interval of the mean: each draw takes as many values, with replacement.
/// Depends on values and options only. (Efron & Tibshirani 1993, §13.3.)
Interval bootstrap_mean(const std::vector<double>& values, const BootstrapOptions& options = {});

struct WilcoxonResult {
  double statistic = 0;  ///< the smaller of the rank sums of positive and negative differences
  double p = 1;          ///< two-sided
  std::size_t n = 0;     ///< differences that are not zero
  bool exact = false;    ///< exact distribution (n <= 50, no zeros, no ties), else normal
};

/// Wilcoxon's signed-rank test of paired differences; zeros are dropped, ties get mean ranks and
/// their correction of the variance, no continuity correction (scipy.stats.wilcoxon's defaults).
/// All differences zero, or none: p = 1.
WilcoxonResult wilcoxon_signed_rank(const std::vector<double>& differences);

/// Holm's step-down adjustment, in the order given (Holm 1979).
std::vector<double> holm(const std::vector<double>& p_values);

}  // namespace hepar
