#include "hepar/core/median.h"

#include <algorithm>

#include "hepar/core/error.h"

namespace hepar {

double median(std::vector<double> values) {
  require(!values.empty(), "median: wanted at least one number");
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

}  // namespace hepar
