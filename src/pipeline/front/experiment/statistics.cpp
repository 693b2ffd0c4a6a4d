#include "hepar/pipeline/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "hepar/core/error.h"
#include "hepar/core/random.h"

namespace hepar {
namespace {

constexpr std::size_t kExactLimit = 50;

/// Ranks of absolute values, ties sharing their mean rank; the sum of t³ − t over groups of ties.
struct Ranks {
  std::vector<double> rank;
  double ties = 0;
};

Ranks rank_absolute(const std::vector<double>& values) {
  const std::size_t n = values.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::abs(values[a]) < std::abs(values[b]);
  });
  Ranks ranks{std::vector<double>(n), 0};
  for (std::size_t begin = 0; begin < n;) {
    std::size_t end = begin;
    while (end < n && std::abs(values[order[end]]) == std::abs(values[order[begin]])) {
      ++end;
    }
    for (std::size_t i = begin; i < end; ++i) {
      ranks.rank[order[i]] = 0.5 * static_cast<double>(begin + end + 1);
    }
    const auto tied = static_cast<double>(end - begin);
    ranks.ties += tied * tied * tied - tied;
    begin = end;
  }
  return ranks;
}

/// P(W <= statistic) for ranks 1 … n, by counting subsets; exact in double up to n = 50.
double exact_lower_tail(std::size_t n, double statistic) {
  const std::size_t sum = n * (n + 1) / 2;
  std::vector<double> ways(sum + 1, 0.0);
  ways[0] = 1;
  for (std::size_t rank = 1; rank <= n; ++rank) {
    for (std::size_t total = sum; total >= rank; --total) {
      ways[total] += ways[total - rank];
    }
  }
  const auto last = static_cast<std::size_t>(statistic);
  const double below =
      std::accumulate(ways.begin(), ways.begin() + static_cast<std::ptrdiff_t>(last + 1), 0.0);
  return below / std::ldexp(1.0, static_cast<int>(n));
}

double normal_two_sided(double z) { return std::erfc(std::abs(z) / std::sqrt(2.0)); }

}  // namespace

double mean(const std::vector<double>& values) {
  require(!values.empty(), "mean of no values");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(const std::vector<double>& values) {
  if (values.size() == 1) {
    return 0;
  }
  const double centre = mean(values);
  const double squares = std::accumulate(
      values.begin(), values.end(), 0.0,
      [&](double sum, double value) { return sum + (value - centre) * (value - centre); });
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double quantile(std::vector<double> values, double p) {
  require(!values.empty(), "quantile of no values");
  std::sort(values.begin(), values.end());
  const double position = p * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  const double part = position - static_cast<double>(below);
  return values[below] + part * (values[above] - values[below]);
}

Interval bootstrap_mean(const std::vector<double>& values, const BootstrapOptions& options) {
  require(!values.empty(), "bootstrap of no values");
  const auto n = static_cast<std::int64_t>(values.size());
  std::vector<double> means;
  means.reserve(static_cast<std::size_t>(options.draws));
  for (std::int64_t draw = 0; draw < options.draws; ++draw) {
    RandomStream random({.seed = options.seed,
                         .purpose = Purpose::kBootstrap,
                         .step = static_cast<std::uint64_t>(draw)});
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      sum += values[static_cast<std::size_t>(random.integer(n))];
    }
    means.push_back(sum / static_cast<double>(n));
  }
  const double tail = (1 - options.level) / 2;
  return {quantile(means, tail), quantile(means, 1 - tail)};
}

WilcoxonResult wilcoxon_signed_rank(const std::vector<double>& differences) {
  std::vector<double> values;
  std::copy_if(differences.begin(), differences.end(), std::back_inserter(values),
               [](double d) { return d != 0; });
  WilcoxonResult result{.n = values.size()};
  if (values.empty()) {
    return result;
  }
  const Ranks ranks = rank_absolute(values);
  const auto n = static_cast<double>(values.size());
  double positive = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    positive += values[i] > 0 ? ranks.rank[i] : 0;
  }
  const double all = n * (n + 1) / 2;
  result.statistic = std::min(positive, all - positive);
  result.exact =
      ranks.ties == 0 && values.size() == differences.size() && values.size() <= kExactLimit;
  if (result.exact) {
    result.p = std::min(1.0, 2 * exact_lower_tail(values.size(), result.statistic));
  } else {
    const double variance = n * (n + 1) * (2 * n + 1) / 24 - ranks.ties / 48;
    result.p = normal_two_sided((result.statistic - all / 2) / std::sqrt(variance));
  }
  return result;
}

std::vector<double> holm(const std::vector<double>& p_values) {
  const std::size_t n = p_values.size();
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(n);
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    largest = std::max(largest, static_cast<double>(n - i) * p_values[order[i]]);
    adjusted[order[i]] = std::min(1.0, largest);
  }
  return adjusted;
}

}  // namespace hepar
