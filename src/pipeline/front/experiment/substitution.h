#pragma once
#include <functional>
#include <set>
#include <string>

#include "experiment/source.h"

namespace hepar::detail {

/// What a value refers to, whatever setting the axes have.
struct References {
  std::set<std::string> axes;
  std::set<std::string> stages;
};

/// `${name}` inside values: an axis, a named value or a stage. References nest: `${${row}}` is what
/// the stage wrote whose name is the setting of the axis `row`.
class Substitution {
 public:
  explicit Substitution(const ExperimentSource& source) : source_(source) {}

  /// Throws ConfigError when a name is unknown (with the nearest known one) or a `${` stays open.
  [[nodiscard]] References references(const Json& value) const;

  /// `value` with axes and named values put in, and stages as `stage(name)` says. A text that is
  /// one reference to a list becomes that list; inside a list it is spliced.
  [[nodiscard]] Json resolve(const Json& value, const AxisValues& axes,
                             const std::function<std::string(const std::string&)>& stage) const;

 private:
  void collect(const std::string& text, int depth, References& found) const;
  [[nodiscard]] const std::vector<std::string>* settings(const std::string& axis) const;
  [[nodiscard]] bool is_stage(const std::string& name) const;
  [[noreturn]] void unknown(const std::string& name) const;

  const ExperimentSource& source_;
};

}  // namespace hepar::detail
