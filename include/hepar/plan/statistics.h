#pragma once
#include <span>
#include <vector>

namespace hepar {

/// The q-th percentile (0…100) with linear interpolation between neighbours, as numpy.percentile
/// computes it. Reorders `values`. Throws ShapeError when there are none.
double percentile(std::span<double> values, double q);
double percentile(std::span<float> values, double q);

/// Half-to-even rounding to a whole number, as Python's round().
double round_half_even(double value);

}  // namespace hepar
