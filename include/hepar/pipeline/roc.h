#pragma once
#include <hepar/pipeline/statistics.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// One score and the truth of each patient; a larger score speaks for the positive class.
struct RocSample {
  std::vector<double> scores;  ///< finite
  std::vector<bool> positive;  ///< as many
};

/// The standard normal quantile of p in (0, 1).
double normal_quantile(double p);

/// Ranks 1 … n; equal values share the mean of theirs.
std::vector<double> midranks(const std::vector<double>& values);

/// P(a positive scores above a negative) + ½ P(equal), as sklearn's roc_auc_score; null when a
/// class is absent. Throws ShapeError on lists of different lengths, as do the functions below.
std::optional<double> auc(const RocSample& sample);

struct AucEstimate {
  std::size_t n_pos = 0, n_neg = 0;
  std::optional<double> auc;
  std::optional<double> variance;    ///< DeLong's; needs two patients of each class
  std::optional<Interval> interval;  ///< normal, clipped to [0, 1]
  std::string undefined;             ///< why something above is null
};

/// AUC with DeLong's variance (DeLong et al., Biometrics 1988) by mid-ranks (Sun & Xu 2014).
AucEstimate delong(const RocSample& sample, double level = 0.95);

struct DeLongTest {
  std::optional<double> difference;  ///< first − second
  std::optional<double> z, p;        ///< two-sided; null when the variance is 0 and they differ
};

/// Compares the AUC of two scores of the same patients; equal AUCs without variance have p = 1.
DeLongTest delong_test(const RocSample& first, const std::vector<double>& second_scores);

}  // namespace hepar
