#include "hepar/pipeline/roc.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "hepar/core/error.h"

namespace hepar {
namespace {

/// DeLong's structural components: how often a positive beats the negatives, and the other way.
struct Placements {
  std::vector<double> of_positives, of_negatives;
};

struct Classes {
  std::vector<double> positives, negatives;
};

Classes split_classes(const std::vector<double>& scores, const std::vector<bool>& positive) {
  require<ShapeError>(scores.size() == positive.size(),
                      "AUC: wanted one truth a score, found " + std::to_string(scores.size()) +
                          " scores and " + std::to_string(positive.size()) + " truths");
  Classes classes;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    (positive[i] ? classes.positives : classes.negatives).push_back(scores[i]);
  }
  return classes;
}

Placements placements_of(const Classes& classes) {
  std::vector<double> all = classes.positives;
  all.insert(all.end(), classes.negatives.begin(), classes.negatives.end());
  const std::vector<double> ranks = midranks(all);
  const std::vector<double> own_positives = midranks(classes.positives);
  const std::vector<double> own_negatives = midranks(classes.negatives);
  const std::size_t m = classes.positives.size();
  const std::size_t n = classes.negatives.size();
  Placements placements;
  for (std::size_t i = 0; i < m; ++i) {
    placements.of_positives.push_back((ranks[i] - own_positives[i]) / static_cast<double>(n));
  }
  for (std::size_t j = 0; j < n; ++j) {
    placements.of_negatives.push_back(1 -
                                      (ranks[m + j] - own_negatives[j]) / static_cast<double>(m));
  }
  return placements;
}

double covariance(const std::vector<double>& a, const std::vector<double>& b) {
  const double mean_a = mean(a);
  const double mean_b = mean(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += (a[i] - mean_a) * (b[i] - mean_b);
  }
  return sum / static_cast<double>(a.size() - 1);
}

double covariance_of_aucs(const Placements& a, const Placements& b) {
  return covariance(a.of_positives, b.of_positives) / static_cast<double>(a.of_positives.size()) +
         covariance(a.of_negatives, b.of_negatives) / static_cast<double>(a.of_negatives.size());
}

/// From the sum of ranks, which is exact in halves: the AUC of a score and that of its negative for
/// the other class are the same number.
double auc_of(const Classes& classes) {
  std::vector<double> all = classes.positives;
  all.insert(all.end(), classes.negatives.begin(), classes.negatives.end());
  const std::vector<double> ranks = midranks(all);
  const auto m = static_cast<double>(classes.positives.size());
  const auto n = static_cast<double>(classes.negatives.size());
  const auto positives_end = ranks.begin() + static_cast<std::ptrdiff_t>(classes.positives.size());
  return (std::accumulate(ranks.begin(), positives_end, 0.0) - m * (m + 1) / 2) / (m * n);
}

bool has_variance(const Classes& classes) {
  return classes.positives.size() > 1 && classes.negatives.size() > 1;
}

}  // namespace

double normal_quantile(double p) {
  require(p > 0 && p < 1, "normal quantile: wanted 0 < p < 1, found " + std::to_string(p));
  if (p < 0.5) {
    return -normal_quantile(1 - p);
  }
  // The distribution function is concave above 0, so that Newton's steps from 0 never overshoot.
  double x = 0;
  constexpr int kMostSteps = 200;
  for (int step = 0; step < kMostSteps; ++step) {
    const double missing = p - 1 + 0.5 * std::erfc(x / std::numbers::sqrt2);
    const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    const double next = x + missing / density;
    if (std::abs(next - x) <= 1e-15 * std::abs(next)) {
      return next;
    }
    x = next;
  }
  return x;
}

std::vector<double> midranks(const std::vector<double>& values) {
  const std::size_t n = values.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(n);
  for (std::size_t begin = 0; begin < n;) {
    std::size_t end = begin;
    while (end < n && values[order[end]] == values[order[begin]]) {
      ++end;
    }
    for (std::size_t i = begin; i < end; ++i) {
      ranks[order[i]] = 0.5 * static_cast<double>(begin + end + 1);
    }
    begin = end;
  }
  return ranks;
}

std::optional<double> auc(const RocSample& sample) { return delong(sample).auc; }

AucEstimate delong(const RocSample& sample, double level) {
  const Classes classes = split_classes(sample.scores, sample.positive);
  AucEstimate estimate;
  estimate.n_pos = classes.positives.size();
  estimate.n_neg = classes.negatives.size();
  if (estimate.n_pos == 0 || estimate.n_neg == 0) {
    estimate.undefined = estimate.n_pos == 0 ? "no positive case" : "no negative case";
    return estimate;
  }
  const Placements placements = placements_of(classes);
  estimate.auc = auc_of(classes);
  if (!has_variance(classes)) {
    estimate.undefined = "DeLong's variance needs two cases of each class";
    return estimate;
  }
  estimate.variance = std::max(0.0, covariance_of_aucs(placements, placements));
  const double half = normal_quantile(0.5 + level / 2) * std::sqrt(*estimate.variance);
  estimate.interval = Interval{.low = std::clamp(*estimate.auc - half, 0.0, 1.0),
                               .high = std::clamp(*estimate.auc + half, 0.0, 1.0)};
  return estimate;
}

DeLongTest delong_test(const RocSample& first, const std::vector<double>& second_scores) {
  const Classes classes = split_classes(first.scores, first.positive);
  const Classes others = split_classes(second_scores, first.positive);
  DeLongTest test;
  if (classes.positives.empty() || classes.negatives.empty()) {
    return test;
  }
  const Placements a = placements_of(classes);
  const Placements b = placements_of(others);
  test.difference = auc_of(classes) - auc_of(others);
  if (!has_variance(classes)) {
    return test;
  }
  const double variance =
      covariance_of_aucs(a, a) + covariance_of_aucs(b, b) - 2 * covariance_of_aucs(a, b);
  // Sums of rounded terms: what is below this is 0.
  constexpr double kNoVariance = 1e-15;
  if (variance > kNoVariance) {
    test.z = *test.difference / std::sqrt(variance);
    test.p = std::erfc(std::abs(*test.z) / std::numbers::sqrt2);
  } else if (std::abs(*test.difference) < kNoVariance) {
    test.z = 0;
    test.p = 1;
  }
  return test;
}

}  // namespace hepar
