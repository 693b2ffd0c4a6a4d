#pragma once
#include <vector>

namespace hepar {

/// The middle one in order, or the mean of the middle two. Throws Error when there is none.
double median(std::vector<double> values);

}  // namespace hepar
