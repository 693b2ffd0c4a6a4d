#include "experiment/substitution.h"

#include <algorithm>
#include <optional>

#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar::detail {
namespace {

constexpr int kDeepest = 50;  // a value that refers to itself would go on for ever

struct Reference {
  std::size_t begin, end;  ///< of "${name}"
  std::string name;
};

/// The first reference that has none inside it.
std::optional<Reference> innermost(const std::string& text) {
  const std::size_t open = text.find("${");
  if (open == std::string::npos) {
    return std::nullopt;
  }
  const std::size_t close = text.find('}', open);
  require<ConfigError>(close != std::string::npos, "'" + text + "': a ${ is not closed");
  const std::size_t begin = text.rfind("${", close);
  return Reference{begin, close + 1, text.substr(begin + 2, close - begin - 2)};
}

std::string replaced(const std::string& text, const Reference& reference, const std::string& by) {
  return text.substr(0, reference.begin) + by + text.substr(reference.end);
}

std::string text_of(const Json& value, const std::string& name) {
  require<ConfigError>(value.is_string(),
                       "${" + name + "} is a list: it can only stand for a whole value");
  return value;
}

}  // namespace

const std::vector<std::string>* Substitution::settings(const std::string& axis) const {
  const AxisSource* found = find_axis(source_.axes, axis);
  return found == nullptr ? nullptr : &found->settings;
}

bool Substitution::is_stage(const std::string& name) const {
  return std::any_of(source_.stages.begin(), source_.stages.end(),
                     [&](const StageSource& stage) { return stage.name == name; });
}

void Substitution::unknown(const std::string& name) const {
  std::vector<std::string> known = names_of(source_.stages);
  for (const AxisSource& axis : source_.axes) {
    known.push_back(axis.name);
  }
  for (const auto& [value, ignored] : source_.values) {
    known.push_back(value);
  }
  throw ConfigError("'${" + name + "}': no stage, axis or value has this name" +
                    suggestion(name, known));
}

/// "net[fold]" taken apart; without brackets the name alone.
StageReference Substitution::parse(const std::string& name) const {
  const std::size_t open = name.find('[');
  if (open == std::string::npos) {
    return {name, {}};
  }
  require<ConfigError>(name.back() == ']' && is_stage(name.substr(0, open)),
                       "'${" + name + "}': wanted STAGE[AXIS, …] with the name of a stage");
  StageReference found{name.substr(0, open), {}};
  for (std::string axis : split(name.substr(open + 1, name.size() - open - 2), ',')) {
    std::erase(axis, ' ');
    if (settings(axis) == nullptr) {
      throw ConfigError("'${" + name + "}': no axis '" + axis + "'" +
                        suggestion(axis, names_of(source_.axes)));
    }
    found.gathered.push_back(axis);
  }
  return found;
}

void Substitution::collect(const std::string& text, int depth, References& found) const {
  require<ConfigError>(depth < kDeepest, "'" + text + "' refers to itself");
  const std::optional<Reference> next = innermost(text);
  if (!next) {
    return;
  }
  const std::string& name = next->name;
  if (const auto* axis = settings(name)) {
    found.axes.insert(name);
    for (const std::string& setting : *axis) {
      collect(replaced(text, *next, setting), depth + 1, found);
    }
  } else if (const auto value = source_.values.find(name); value != source_.values.end()) {
    if (value->second.is_array()) {
      for (const Json& item : value->second) {
        collect(text_of(item, name), depth + 1, found);
      }
      collect(replaced(text, *next, ""), depth + 1, found);
    } else {
      collect(replaced(text, *next, text_of(value->second, name)), depth + 1, found);
    }
  } else if (const StageReference reference = parse(name); is_stage(reference.stage)) {
    found.stages.insert(reference);
    collect(replaced(text, *next, ""), depth + 1, found);
  } else {
    unknown(name);
  }
}

References Substitution::references(const Json& value) const {
  References found;
  if (value.is_string()) {
    collect(value, 0, found);
  }
  if (value.is_array()) {
    for (const Json& item : value) {
      const References inner = references(item);
      found.axes.insert(inner.axes.begin(), inner.axes.end());
      found.stages.insert(inner.stages.begin(), inner.stages.end());
    }
  }
  return found;
}

Json Substitution::resolve(const Json& value, const AxisValues& axes,
                           const Outputs& outputs) const {
  if (value.is_array()) {
    Json items = Json::array();
    for (const Json& item : value) {
      const Json resolved = resolve(item, axes, outputs);
      if (resolved.is_array()) {
        items.insert(items.end(), resolved.begin(), resolved.end());
      } else {
        items.push_back(resolved);
      }
    }
    return items;
  }
  std::string text = value.get<std::string>();
  for (int depth = 0; const std::optional<Reference> next = innermost(text); ++depth) {
    require<ConfigError>(depth < kDeepest, "'" + text + "' refers to itself");
    const bool whole = next->begin == 0 && next->end == text.size();
    const auto named = source_.values.find(next->name);
    if (const auto axis = axes.find(next->name); axis != axes.end()) {
      text = replaced(text, *next, axis->second);
    } else if (named != source_.values.end()) {
      if (named->second.is_array() && whole) {
        return resolve(named->second, axes, outputs);
      }
      text = replaced(text, *next, text_of(named->second, next->name));
    } else {
      const StageReference reference = parse(next->name);
      const std::vector<std::string> found = outputs(reference);
      if (!reference.gathered.empty()) {
        return whole ? Json(found) : Json(text_of(Json::array(), next->name));
      }
      text = replaced(text, *next, found.front());
    }
  }
  return text;
}

}  // namespace hepar::detail
