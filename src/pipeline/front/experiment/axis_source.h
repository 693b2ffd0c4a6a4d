#pragma once
#include <hepar/core/json.h>

#include <optional>
#include <string>
#include <vector>

namespace hepar::detail {

/// One entry of `when`: the axis has one of these settings.
struct AxisCondition {
  std::string axis;
  std::vector<std::string> settings;
};

/// Where the settings of an axis are drawn from, by the samples of a sweep.
struct AxisRange {
  double low = 0, high = 0;
  bool log = false;  ///< uniform in the logarithm
};

/// An axis as written.
struct AxisSource {
  std::string name;
  std::vector<std::string> settings;  ///< of a range: one a sample, once they are drawn
  std::optional<AxisRange> range = {};
  std::vector<AxisCondition> when = {};  ///< it exists only where all hold; empty: everywhere
};

/// Reads `[a, b]`, one setting, `{values: [a, b]}`, `{uniform: [low, high]}` or
/// `{log_uniform: [low, high]}`, the last three also with `when: {AXIS: SETTING or [SETTINGS]}`.
/// Throws ConfigError saying what was wanted.
AxisSource read_axis(const std::string& name, const Json& value);

/// What is wrong with the conditions of `axis`, which may speak of the axes before it; empty when
/// all is well.
std::string condition_problem(const AxisSource& axis, const std::vector<AxisSource>& before);

/// The axis of that name; null when there is none.
const AxisSource* find_axis(const std::vector<AxisSource>& axes, const std::string& name);
std::vector<std::string> names_of(const std::vector<AxisSource>& axes);

}  // namespace hepar::detail
