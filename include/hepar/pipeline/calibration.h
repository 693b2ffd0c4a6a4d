#pragma once
#include <hepar/pipeline/roc.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// Mean of (probability − truth)²; null without a case. Scores are probabilities here and below.
std::optional<double> brier(const RocSample& sample);

struct ReliabilityBin {
  double mean_probability = 0, share_positive = 0;
  std::size_t n = 0;
};

/// Bins of equal mass by probability: the first n mod `bins` hold one more case. Cases with equal
/// probabilities share their mean truth, so that the order of the table does not matter.
std::vector<ReliabilityBin> reliability(const RocSample& sample, std::size_t bins);

/// Expected calibration error: Σ n_bin / n · |share of positives − mean probability|; null without
/// a case. (Naeini et al., AAAI 2015, with bins of equal mass.)
std::optional<double> expected_calibration_error(const std::vector<ReliabilityBin>& bins);

/// truth ~ σ(intercept + slope · logit(probability)); a calibrated score has 0 and 1.
struct CalibrationLine {
  std::optional<double> intercept, slope;
  std::string undefined;  ///< why there is none
};

/// Maximum likelihood by Newton's steps, no penalty; probabilities are kept within [1e-7, 1 −
/// 1e-7]. None when a class is absent, all scores are equal, or the scores separate the classes
/// (then the slope has no finite maximum). (Cox 1958; Van Calster et al., BMC Medicine 2019.)
CalibrationLine calibration_line(const RocSample& sample);

}  // namespace hepar
