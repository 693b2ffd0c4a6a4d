#include "experiment/axis_source.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "experiment/problems.h"
#include "hepar/core/error.h"

namespace hepar::detail {
namespace {

constexpr const char* kWanted =
    "wanted a list like [0, 1, 2], or {values: […]}, {uniform: [low, high]}, {log_uniform: [low, "
    "high]}, with or without when: {AXIS: SETTING}";
const std::vector<std::string> kForms{"values", "uniform", "log_uniform"};

/// A list of scalars; one scalar is a list of one. Empty when it is neither.
std::vector<std::string> texts_of(const Json& value) {
  std::vector<std::string> texts;
  for (const Json& item : value.is_array() ? value : Json::array({value})) {
    if (!item.is_string()) {
      return {};
    }
    texts.push_back(item);
  }
  return texts;
}

double number_of(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  require<ConfigError>(!text.empty() && *end == '\0' && std::isfinite(number),
                       "wanted a number, found '" + text + "'");
  return number;
}

AxisRange read_range(const Json& value, bool log) {
  const std::vector<std::string> ends = texts_of(value);
  require<ConfigError>(ends.size() == 2, "wanted [low, high]");
  const AxisRange range{.low = number_of(ends[0]), .high = number_of(ends[1]), .log = log};
  require<ConfigError>(range.low < range.high && (!log || range.low > 0),
                       std::string("wanted ") + (log ? "0 < " : "") + "low < high, found [" +
                           ends[0] + ", " + ends[1] + "]");
  return range;
}

std::vector<AxisCondition> read_conditions(const Json& value) {
  require<ConfigError>(value.is_object() && !value.empty(),
                       "when: wanted {AXIS: SETTING or [SETTINGS]}");
  std::vector<AxisCondition> conditions;
  for (const auto& [axis, settings] : value.items()) {
    conditions.push_back({axis, texts_of(settings)});
    require<ConfigError>(!conditions.back().settings.empty(),
                         "when." + axis + ": wanted a setting or a list of settings");
  }
  return conditions;
}

}  // namespace

AxisSource read_axis(const std::string& name, const Json& value) {
  AxisSource axis{.name = name, .settings = {}};
  const Json map = value.is_object() ? value : Json{{"values", value}};
  int forms = 0;
  for (const auto& [key, content] : map.items()) {
    if (key == "when") {
      axis.when = read_conditions(content);
      continue;
    }
    require<ConfigError>(std::find(kForms.begin(), kForms.end(), key) != kForms.end(), kWanted);
    ++forms;
    if (key == "values") {
      axis.settings = texts_of(content);
      require<ConfigError>(!axis.settings.empty(), kWanted);
    } else {
      axis.range = read_range(content, key == "log_uniform");
    }
  }
  require<ConfigError>(forms == 1, kWanted);
  return axis;
}

std::string condition_problem(const AxisSource& axis, const std::vector<AxisSource>& before) {
  for (const AxisCondition& condition : axis.when) {
    const AxisSource* parent = find_axis(before, condition.axis);
    if (parent == nullptr) {
      return "when: no axis '" + condition.axis + "' stands above this one" +
             suggestion(condition.axis, names_of(before));
    }
    if (parent->range) {
      return "when: '" + condition.axis + "' is a range; wanted an axis with listed settings";
    }
    for (const std::string& setting : condition.settings) {
      const auto& known = parent->settings;
      if (std::find(known.begin(), known.end(), setting) == known.end()) {
        return "when: the axis '" + condition.axis + "' has no setting '" + setting + "'" +
               suggestion(setting, known);
      }
    }
  }
  if (!axis.when.empty() && axis.name.find('.') == std::string::npos) {
    return "when: only an axis named stage.key may be left out: where it does not exist, the key "
           "has the stage's own value";
  }
  return "";
}

const AxisSource* find_axis(const std::vector<AxisSource>& axes, const std::string& name) {
  const auto found = std::find_if(axes.begin(), axes.end(),
                                  [&](const AxisSource& axis) { return axis.name == name; });
  return found == axes.end() ? nullptr : &*found;
}

std::vector<std::string> names_of(const std::vector<AxisSource>& axes) {
  std::vector<std::string> names;
  std::transform(axes.begin(), axes.end(), std::back_inserter(names),
                 [](const AxisSource& axis) { return axis.name; });
  return names;
}

}  // namespace hepar::detail
