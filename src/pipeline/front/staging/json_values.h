#pragma once
#include <hepar/core/json.h>
#include <hepar/pipeline/statistics.h>

#include <optional>
#include <vector>

namespace hepar::detail {

inline Json json_of(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

inline Json json_of(const std::optional<Interval>& interval) {
  return interval ? Json{interval->low, interval->high} : Json(nullptr);
}

/// {mean, sd} of the values that are there; nulls where there are none, sd needs two.
inline Json mean_and_sd(const std::vector<double>& values) {
  return {{"mean", values.empty() ? Json(nullptr) : Json(mean(values))},
          {"sd", values.size() < 2 ? Json(nullptr) : Json(standard_deviation(values))}};
}

}  // namespace hepar::detail
