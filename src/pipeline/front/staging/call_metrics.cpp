#include "hepar/pipeline/call_metrics.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "hepar/core/error.h"
#include "hepar/pipeline/roc.h"

namespace hepar {
namespace {

std::optional<double> ratio(std::size_t part, std::size_t whole) {
  return whole == 0 ? std::nullopt
                    : std::optional(static_cast<double>(part) / static_cast<double>(whole));
}

void require_same_size(std::size_t a, std::size_t b) {
  require<ShapeError>(a == b, "calls: wanted one call a truth, found " + std::to_string(a) +
                                  " and " + std::to_string(b));
}

double squared_distance(std::size_t a, std::size_t b) {
  const double d = static_cast<double>(a) - static_cast<double>(b);
  return d * d;
}

struct Margins {
  std::array<double, kStages> truth{}, called{};
  double n = 0;
};

Margins margins_of(const StageConfusion& confusion) {
  Margins margins;
  for (std::size_t i = 0; i < kStages; ++i) {
    for (std::size_t j = 0; j < kStages; ++j) {
      const auto count = static_cast<double>(confusion[i][j]);
      margins.truth[i] += count;
      margins.called[j] += count;
      margins.n += count;
    }
  }
  return margins;
}

}  // namespace

CallCounts count_calls(const std::vector<bool>& called, const std::vector<bool>& positive) {
  require_same_size(called.size(), positive.size());
  CallCounts counts;
  for (std::size_t i = 0; i < called.size(); ++i) {
    if (positive[i]) {
      ++(called[i] ? counts.true_positives : counts.false_negatives);
    } else {
      ++(called[i] ? counts.false_positives : counts.true_negatives);
    }
  }
  return counts;
}

std::optional<double> accuracy(const CallCounts& c) {
  return ratio(c.true_positives + c.true_negatives,
               c.true_positives + c.true_negatives + c.false_positives + c.false_negatives);
}

std::optional<double> sensitivity(const CallCounts& c) {
  return ratio(c.true_positives, c.true_positives + c.false_negatives);
}

std::optional<double> specificity(const CallCounts& c) {
  return ratio(c.true_negatives, c.true_negatives + c.false_positives);
}

std::optional<double> balanced_accuracy(const CallCounts& c) {
  const auto sens = sensitivity(c);
  const auto spec = specificity(c);
  return sens && spec ? std::optional((*sens + *spec) / 2) : std::nullopt;
}

std::optional<double> f1(const CallCounts& c) {
  if (c.true_positives + c.false_negatives == 0) {
    return std::nullopt;
  }
  return ratio(2 * c.true_positives, 2 * c.true_positives + c.false_positives + c.false_negatives);
}

std::optional<double> matthews(const CallCounts& c) {
  const auto tp = static_cast<double>(c.true_positives);
  const auto fp = static_cast<double>(c.false_positives);
  const auto tn = static_cast<double>(c.true_negatives);
  const auto fn = static_cast<double>(c.false_negatives);
  if (tp + fn == 0 || tn + fp == 0) {
    return std::nullopt;
  }
  const double square = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn);
  return square == 0 ? 0 : (tp * tn - fp * fn) / std::sqrt(square);
}

Interval wilson(const Share& share, double level) {
  require(share.of > 0, "Wilson interval of no cases");
  const auto n = static_cast<double>(share.of);
  const double p = static_cast<double>(share.successes) / n;
  const double z = normal_quantile(0.5 + level / 2);
  const double scale = 1 + z * z / n;
  const double centre = (p + z * z / (2 * n)) / scale;
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale;
  return {.low = std::max(0.0, centre - half), .high = std::min(1.0, centre + half)};
}

double mcnemar_exact(const DiscordantCalls& discordant) {
  const auto fewer = static_cast<double>(std::min(discordant.first_only, discordant.second_only));
  const auto n = static_cast<double>(discordant.first_only + discordant.second_only);
  double tail = 0;
  for (double k = 0; k <= fewer; ++k) {
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) -
                     n * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

StageConfusion confusion(const std::vector<int>& truth, const std::vector<int>& called) {
  require_same_size(called.size(), truth.size());
  StageConfusion counts{};
  for (std::size_t i = 0; i < truth.size(); ++i) {
    ++counts.at(static_cast<std::size_t>(truth[i] - 1)).at(static_cast<std::size_t>(called[i] - 1));
  }
  return counts;
}

std::optional<double> quadratic_weighted_kappa(const StageConfusion& confusion) {
  const Margins margins = margins_of(confusion);
  double observed = 0;
  double expected = 0;
  for (std::size_t i = 0; i < kStages; ++i) {
    for (std::size_t j = 0; j < kStages; ++j) {
      observed += squared_distance(i, j) * static_cast<double>(confusion[i][j]);
      expected += squared_distance(i, j) * margins.truth[i] * margins.called[j];
    }
  }
  return expected == 0 ? std::nullopt : std::optional(1 - observed * margins.n / expected);
}

std::optional<double> stage_mae(const StageConfusion& confusion) {
  const double n = margins_of(confusion).n;
  double sum = 0;
  for (std::size_t i = 0; i < kStages; ++i) {
    for (std::size_t j = 0; j < kStages; ++j) {
      sum += std::sqrt(squared_distance(i, j)) * static_cast<double>(confusion[i][j]);
    }
  }
  return n == 0 ? std::nullopt : std::optional(sum / n);
}

}  // namespace hepar
