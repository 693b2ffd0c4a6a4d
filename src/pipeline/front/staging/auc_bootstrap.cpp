#include "hepar/pipeline/auc_bootstrap.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "hepar/core/error.h"
#include "hepar/core/random.h"
#include "hepar/pipeline/roc.h"

namespace hepar {
namespace {

using Multiplicity = std::vector<int>;  ///< how often each patient is in a draw

/// The AUC of one seed's scores for any multiplicity, sorted once.
class WeightedAuc {
 public:
  WeightedAuc(const std::vector<double>& scores, const std::vector<bool>& positive)
      : scores_(scores), positive_(positive), order_(scores.size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::sort(order_.begin(), order_.end(),
              [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  }

  [[nodiscard]] double operator()(const Multiplicity& times) const {
    double pairs_won = 0, negatives_below = 0, positives = 0;
    for (std::size_t begin = 0; begin < order_.size();) {
      double tied_positives = 0, tied_negatives = 0;
      std::size_t end = begin;
      for (; end < order_.size() && scores_[order_[end]] == scores_[order_[begin]]; ++end) {
        const std::size_t patient = order_[end];
        (positive_[patient] ? tied_positives : tied_negatives) += times[patient];
      }
      pairs_won += tied_positives * (negatives_below + tied_negatives / 2);
      negatives_below += tied_negatives;
      positives += tied_positives;
      begin = end;
    }
    return pairs_won / (positives * negatives_below);
  }

 private:
  const std::vector<double>& scores_;
  const std::vector<bool>& positive_;
  std::vector<std::size_t> order_;
};

std::vector<WeightedAuc> sorted_seeds(const SeededScores& patients) {
  std::vector<WeightedAuc> seeds;
  for (const std::vector<double>& scores : patients.scores) {
    require<ShapeError>(scores.size() == patients.positive.size() &&
                            patients.stratum.size() == patients.positive.size(),
                        "bootstrap: wanted a score, a truth and a stratum for each patient");
    seeds.emplace_back(scores, patients.positive);
  }
  return seeds;
}

double mean_over(const std::vector<WeightedAuc>& seeds, const Multiplicity& times) {
  double sum = 0;
  for (const WeightedAuc& seed : seeds) {
    sum += seed(times);
  }
  return sum / static_cast<double>(seeds.size());
}

std::vector<std::vector<std::size_t>> strata_of(const std::vector<int>& stratum) {
  std::map<int, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < stratum.size(); ++i) {
    members[stratum[i]].push_back(i);
  }
  std::vector<std::vector<std::size_t>> strata;
  for (auto& [name, patients] : members) {
    strata.push_back(std::move(patients));
  }
  return strata;
}

template <class Statistic>
Interval percentile_interval(const std::vector<int>& stratum, const BootstrapOptions& options,
                             const Statistic& statistic) {
  const auto strata = strata_of(stratum);
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(options.draws));
  for (std::int64_t draw = 0; draw < options.draws; ++draw) {
    RandomStream random({.seed = options.seed,
                         .purpose = Purpose::kBootstrap,
                         .step = static_cast<std::uint64_t>(draw)});
    Multiplicity times(stratum.size(), 0);
    for (const auto& members : strata) {
      const auto n = static_cast<std::int64_t>(members.size());
      for (std::int64_t i = 0; i < n; ++i) {
        ++times[members[static_cast<std::size_t>(random.integer(n))]];
      }
    }
    values.push_back(statistic(times));
  }
  const double tail = (1 - options.level) / 2;
  return {quantile(values, tail), quantile(values, 1 - tail)};
}

bool has_both_classes(const SeededScores& patients) {
  const auto yes = std::count(patients.positive.begin(), patients.positive.end(), true);
  return yes > 0 && yes < static_cast<std::ptrdiff_t>(patients.positive.size());
}

/// Only then does every draw keep the sizes of both classes.
void check_strata(const SeededScores& patients) {
  std::map<int, bool> truth;
  for (std::size_t i = 0; i < patients.positive.size(); ++i) {
    const auto known = truth.try_emplace(patients.stratum[i], patients.positive[i]).first;
    require<ShapeError>(known->second == patients.positive[i],
                        "bootstrap: a stratum holds positive and negative patients; a draw could "
                        "lack a class");
  }
}

}  // namespace

std::optional<double> mean_auc(const SeededScores& patients) {
  if (!has_both_classes(patients) || patients.scores.empty()) {
    return std::nullopt;
  }
  return mean_over(sorted_seeds(patients), Multiplicity(patients.positive.size(), 1));
}

std::optional<Interval> bootstrap_auc(const SeededScores& patients,
                                      const BootstrapOptions& options) {
  const std::vector<WeightedAuc> seeds = sorted_seeds(patients);
  if (!has_both_classes(patients) || seeds.empty()) {
    return std::nullopt;
  }
  check_strata(patients);
  return percentile_interval(patients.stratum, options,
                             [&](const Multiplicity& times) { return mean_over(seeds, times); });
}

std::optional<Interval> bootstrap_auc_difference(const SeededScores& first,
                                                 const SeededScores& second,
                                                 const BootstrapOptions& options) {
  require<ShapeError>(first.positive == second.positive && first.stratum == second.stratum,
                      "bootstrap of a difference: wanted the same patients in the same order");
  const std::vector<WeightedAuc> ours = sorted_seeds(first);
  const std::vector<WeightedAuc> theirs = sorted_seeds(second);
  if (!has_both_classes(first) || ours.empty() || theirs.empty()) {
    return std::nullopt;
  }
  check_strata(first);
  return percentile_interval(first.stratum, options, [&](const Multiplicity& times) {
    return mean_over(ours, times) - mean_over(theirs, times);
  });
}

}  // namespace hepar
