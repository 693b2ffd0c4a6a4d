#include <hepar/plan/statistics.h>

#include <hepar/core/error.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace hepar {

namespace {

template <class T>
double percentile_of(std::span<T> values, double q) {
  require<ShapeError>(!values.empty(), "percentile: wanted at least one value, found none");
  const double position = q / 100.0 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), nth, values.end());
  const double low = static_cast<double>(*nth);
  const double t = position - static_cast<double>(below);
  if (below + 1 >= values.size() || t <= 0) {
    return low;
  }
  const double high = static_cast<double>(*std::min_element(nth + 1, values.end()));
  // numpy interpolates from the nearer end, which differs in the last bit from one formula for
  // both.
  return t < 0.5 ? low + (high - low) * t : high - (high - low) * (1 - t);
}

}  // namespace

double percentile(std::span<double> values, double q) { return percentile_of(values, q); }

double percentile(std::span<float> values, double q) { return percentile_of(values, q); }

double round_half_even(double value) {
  // Not std::nearbyint: its answer depends on the rounding mode of the thread.
  const double down = std::floor(value);
  const double rest = value - down;
  if (rest < 0.5) {
    return down;
  }
  if (rest > 0.5) {
    return down + 1;
  }
  return std::fmod(down, 2.0) == 0 ? down : down + 1;
}

}  // namespace hepar
