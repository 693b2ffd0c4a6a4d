#include "hepar/pipeline/calibration.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "staging/numbers.h"

namespace hepar {
namespace {

double number(bool truth) { return truth ? 1.0 : 0.0; }

struct SortedCase {
  double probability = 0, truth = 0;
};

/// By probability; equal ones get their mean truth.
std::vector<SortedCase> sorted_with_shared_ties(const RocSample& sample) {
  std::vector<SortedCase> cases(sample.scores.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    cases[i] = {sample.scores[i], number(sample.positive[i])};
  }
  std::sort(cases.begin(), cases.end(),
            [](const SortedCase& a, const SortedCase& b) { return a.probability < b.probability; });
  for (auto begin = cases.begin(); begin != cases.end();) {
    const auto end = std::find_if(begin, cases.end(), [&](const SortedCase& other) {
      return other.probability != begin->probability;
    });
    const double shared =
        std::accumulate(begin, end, 0.0,
                        [](double sum, const SortedCase& c) { return sum + c.truth; }) /
        static_cast<double>(end - begin);
    std::for_each(begin, end, [&](SortedCase& c) { c.truth = shared; });
    begin = end;
  }
  return cases;
}

struct Extent {
  double low = INFINITY, high = -INFINITY;
  void add(double x) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
};

/// Empty when the likelihood has a finite maximum.
std::string why_no_line(const std::vector<double>& x, const std::vector<bool>& positive) {
  Extent yes;
  Extent no;
  for (std::size_t i = 0; i < x.size(); ++i) {
    (positive[i] ? yes : no).add(x[i]);
  }
  if (yes.low > yes.high || no.low > no.high) {
    return yes.low > yes.high ? "no positive case" : "no negative case";
  }
  if (std::min(yes.low, no.low) == std::max(yes.high, no.high)) {
    return "all scores are equal";
  }
  return yes.low >= no.high || no.low >= yes.high
             ? "the scores separate the classes: the slope has no finite maximum"
             : "";
}

struct Line {
  double intercept = 0, slope = 0;
};

double log_likelihood(const Line& line, const std::vector<double>& x,
                      const std::vector<bool>& positive) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double z = line.intercept + line.slope * x[i];
    const double signed_z = positive[i] ? z : -z;
    sum -=
        signed_z > 0 ? std::log1p(std::exp(-signed_z)) : std::log1p(std::exp(signed_z)) - signed_z;
  }
  return sum;
}

Line newton_step(const Line& line, const std::vector<double>& x,
                 const std::vector<bool>& positive) {
  double g0 = 0, g1 = 0, h00 = 0, h01 = 0, h11 = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double p = 1 / (1 + std::exp(-(line.intercept + line.slope * x[i])));
    const double residual = number(positive[i]) - p;
    const double weight = p * (1 - p);
    g0 += residual;
    g1 += residual * x[i];
    h00 += weight;
    h01 += weight * x[i];
    h11 += weight * x[i] * x[i];
  }
  const double determinant = h00 * h11 - h01 * h01;
  return determinant > 0
             ? Line{(h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant}
             : Line{};
}

Line fit_line(const std::vector<double>& x, const std::vector<bool>& positive) {
  Line line;
  constexpr int kMostSteps = 200;
  for (int step = 0; step < kMostSteps; ++step) {
    const Line move = newton_step(line, x, positive);
    const double now = log_likelihood(line, x, positive);
    double part = 1;
    Line next{line.intercept + move.intercept, line.slope + move.slope};
    constexpr double kShortest = 1e-10;
    while (part > kShortest && log_likelihood(next, x, positive) < now - 1e-12 * std::abs(now)) {
      part /= 2;  // far from the maximum a whole step can overshoot
      next = {line.intercept + part * move.intercept, line.slope + part * move.slope};
    }
    line = next;
    if (std::abs(move.intercept) + std::abs(move.slope) <
        1e-13 * (1 + std::abs(line.intercept) + std::abs(line.slope))) {
      break;
    }
  }
  return line;
}

}  // namespace

std::optional<double> brier(const RocSample& sample) {
  if (sample.scores.empty()) {
    return std::nullopt;
  }
  double sum = 0;
  for (std::size_t i = 0; i < sample.scores.size(); ++i) {
    const double miss = sample.scores[i] - number(sample.positive[i]);
    sum += miss * miss;
  }
  return sum / static_cast<double>(sample.scores.size());
}

std::vector<ReliabilityBin> reliability(const RocSample& sample, std::size_t bins) {
  const std::vector<SortedCase> cases = sorted_with_shared_ties(sample);
  std::vector<ReliabilityBin> result;
  std::size_t next = 0;
  for (std::size_t b = 0; b < bins; ++b) {
    ReliabilityBin bin;
    bin.n = cases.size() / bins + (b < cases.size() % bins ? 1 : 0);
    for (std::size_t i = 0; i < bin.n; ++i, ++next) {
      bin.mean_probability += cases[next].probability / static_cast<double>(bin.n);
      bin.share_positive += cases[next].truth / static_cast<double>(bin.n);
    }
    if (bin.n > 0) {
      result.push_back(bin);
    }
  }
  return result;
}

std::optional<double> expected_calibration_error(const std::vector<ReliabilityBin>& bins) {
  double sum = 0;
  double n = 0;
  for (const ReliabilityBin& bin : bins) {
    sum += static_cast<double>(bin.n) * std::abs(bin.share_positive - bin.mean_probability);
    n += static_cast<double>(bin.n);
  }
  return n == 0 ? std::nullopt : std::optional(sum / n);
}

CalibrationLine calibration_line(const RocSample& sample) {
  std::vector<double> x(sample.scores.size());
  std::transform(sample.scores.begin(), sample.scores.end(), x.begin(), detail::log_odds);
  CalibrationLine result;
  result.undefined = why_no_line(x, sample.positive);
  if (result.undefined.empty()) {
    const Line line = fit_line(x, sample.positive);
    result.intercept = line.intercept;
    result.slope = line.slope;
  }
  return result;
}

}  // namespace hepar
