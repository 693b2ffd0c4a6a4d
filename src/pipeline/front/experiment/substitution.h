#pragma once
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "experiment/source.h"

namespace hepar::detail {

/// `${name}`, or `${name[axis, axis]}`: a stage's outputs under every setting of these axes.
struct StageReference {
  std::string stage;
  std::vector<std::string> gathered;
  friend auto operator<=>(const StageReference&, const StageReference&) = default;
};

/// What a value refers to, whatever setting the axes have.
struct References {
  std::set<std::string> axes;
  std::set<StageReference> stages;
};

/// `${name}` inside values: an axis, a named value or a stage. References nest: `${${row}}` is what
/// the stage wrote whose name is the setting of the axis `row`. `${net[fold]}` is the list of what
/// `net` wrote under each setting of the axis `fold`.
class Substitution {
 public:
  explicit Substitution(const ExperimentSource& source) : source_(source) {}

  /// Throws ConfigError when a name is unknown (with the nearest known one) or a `${` stays open.
  [[nodiscard]] References references(const Json& value) const;

  /// What stands for a stage's output: one text, or with gathered axes one for each setting.
  using Outputs = std::function<std::vector<std::string>(const StageReference&)>;
  /// `value` with axes and named values put in, and stages as `outputs` says. A text that is one
  /// reference to a list becomes that list; inside a list it is spliced.
  [[nodiscard]] Json resolve(const Json& value, const AxisValues& axes,
                             const Outputs& outputs) const;

 private:
  void collect(const std::string& text, int depth, References& found) const;
  [[nodiscard]] const std::vector<std::string>* settings(const std::string& axis) const;
  [[nodiscard]] bool is_stage(const std::string& name) const;
  [[nodiscard]] StageReference parse(const std::string& name) const;
  [[noreturn]] void unknown(const std::string& name) const;

  const ExperimentSource& source_;
};

}  // namespace hepar::detail
