#include "hepar/core/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;

const char* type_name(const ConfigValue& value) {
  static constexpr const char* kNames[] = {
      "true or false",      "an integer",        "a number",       "a text",
      "a list of integers", "a list of numbers", "a list of texts"};
  return kNames[value.index()];
}

std::string number_text(double value) {
  char text[32];
  if (std::abs(value) < 1e6 && value == std::floor(value)) {
    std::snprintf(text, sizeof(text), "%.0f", value);  // 1000, not 1e+03
    return text;
  }
  std::snprintf(text, sizeof(text), "%.17g", value);
  double parsed = 0;
  for (int digits = 1; digits <= 17 && parsed != value;
       ++digits) {  // shortest text that reads back equal
    std::snprintf(text, sizeof(text), "%.*g", digits, value);
    std::sscanf(text, "%lf", &parsed);
  }
  return text;
}

template <class T>
std::string list_text(const std::vector<T>& items,
                      const std::function<std::string(const T&)>& show) {
  std::vector<std::string> parts;
  std::transform(items.begin(), items.end(), std::back_inserter(parts), show);
  return "[" + join(parts, ", ") + "]";
}

std::string quoted(const std::string& text) {
  YAML::Emitter emitter;
  emitter << YAML::DoubleQuoted << text;
  return emitter.c_str();
}

/// YAML spelling of a value.
std::string text_of(const ConfigValue& value) {
  return std::visit(
      Overload{[](bool v) { return std::string(v ? "true" : "false"); },
               [](std::int64_t v) { return std::to_string(v); },
               [](double v) { return number_text(v); },
               [](const std::string& v) { return quoted(v); },
               [](const std::vector<std::int64_t>& v) {
                 return list_text<std::int64_t>(
                     v, [](const std::int64_t& i) { return std::to_string(i); });
               },
               [](const std::vector<double>& v) { return list_text<double>(v, number_text); },
               [](const std::vector<std::string>& v) { return list_text<std::string>(v, quoted); }},
      value);
}

Json json_of(const ConfigValue& value) {
  return std::visit([](const auto& v) { return Json(v); }, value);
}

std::string origin(const YAML::Node& node, const std::string& where) {
  return where + ":" + std::to_string(node.Mark().line + 1);
}

/// A list key also takes one scalar and "a,b,c", which is what a shell user types.
template <class T>
std::vector<T> list_from(const YAML::Node& node) {
  if (node.IsSequence()) {
    return node.as<std::vector<T>>();
  }
  std::vector<T> items;
  for (const std::string& part : split(node.as<std::string>(), ',')) {
    items.push_back(YAML::Load(part).as<T>());
  }
  return items;
}

/// `node` as the type of `initial`. Throws YAML::Exception when it is something else.
ConfigValue value_from(const YAML::Node& node, const ConfigValue& initial) {
  return std::visit(
      Overload{[&](bool) -> ConfigValue { return node.as<bool>(); },
               [&](std::int64_t) -> ConfigValue { return node.as<std::int64_t>(); },
               [&](double) -> ConfigValue { return node.as<double>(); },
               [&](const std::string&) -> ConfigValue { return node.as<std::string>(); },
               [&](const std::vector<std::int64_t>&) -> ConfigValue {
                 return list_from<std::int64_t>(node);
               },
               [&](const std::vector<double>&) -> ConfigValue { return list_from<double>(node); },
               [&](const std::vector<std::string>&) -> ConfigValue {
                 return list_from<std::string>(node);
               }},
      initial);
}

std::vector<std::string> paths_of(const std::vector<ConfigKey>& keys) {
  std::vector<std::string> paths;
  std::transform(keys.begin(), keys.end(), std::back_inserter(paths),
                 [](const ConfigKey& key) { return key.path; });
  return paths;
}

std::string unknown_key(const std::string& path, const std::vector<ConfigKey>& keys) {
  const std::string suggestion = nearest(path, paths_of(keys));
  return "unknown key '" + path + "'" +
         (suggestion.empty() ? "" : "; did you mean '" + suggestion + "'?");
}

/// Assigns one value; the message is empty on success.
std::string assign(const ConfigKey& key, const YAML::Node& node) {
  try {
    key.set(value_from(node, key.initial));
    return "";
  } catch (const YAML::Exception&) {
    return key.path + ": wanted " + type_name(key.initial) + ", found '" + YAML::Dump(node) + "'";
  } catch (const ConfigError& e) {
    return e.what();
  }
}

struct YamlReader {
  const std::vector<ConfigKey>& keys;
  const std::string& where;
  std::vector<std::string> problems;

  void read(const YAML::Node& map, const std::string& prefix) {
    for (const auto& item : map) {
      const std::string path = prefix + item.first.as<std::string>();
      const auto found = std::find_if(keys.begin(), keys.end(),
                                      [&](const ConfigKey& key) { return key.path == path; });
      const bool section = std::any_of(keys.begin(), keys.end(), [&](const ConfigKey& key) {
        return key.path.starts_with(path + ".");
      });
      std::string problem;
      if (found != keys.end()) {
        problem = assign(*found, item.second);
      } else if (!section) {
        problem = unknown_key(path, keys);
      } else if (item.second.IsMap()) {
        read(item.second, path + ".");
      } else if (!item.second.IsNull()) {
        problem = path + ": wanted a section with keys, found '" + YAML::Dump(item.second) + "'";
      }
      if (!problem.empty()) {
        problems.push_back(origin(item.first, where) + ": " + problem);
      }
    }
  }
};

}  // namespace

std::string describe(const Range& range) {
  const bool low = std::isfinite(range.low), high = std::isfinite(range.high);
  if (low && high) {
    return number_text(range.low) + " … " + number_text(range.high);
  }
  return low ? ">= " + number_text(range.low) : (high ? "<= " + number_text(range.high) : "");
}

void check_range(const std::string& path, double value, const Range& range) {
  require<ConfigError>(value >= range.low && value <= range.high,
                       path + ": wanted " + describe(range) + ", found " + number_text(value));
}

std::vector<double> detail::numbers_of(const ConfigValue& value) {
  using Numbers = std::vector<double>;
  return std::visit(
      Overload{[](std::int64_t v) { return Numbers{static_cast<double>(v)}; },
               [](double v) { return Numbers{v}; },
               [](const std::vector<std::int64_t>& v) { return Numbers(v.begin(), v.end()); },
               [](const std::vector<double>& v) { return v; },
               [](const auto&) { return Numbers{}; }},
      value);
}

void ConfigSchema::add_key(ConfigKey key) {
  for (const ConfigKey& known : keys_) {
    require(known.path != key.path, "configuration key '" + key.path + "' is declared twice");
  }
  keys_.push_back(std::move(key));
}

void ConfigSchema::add_choice(const std::string& name, std::string& field,
                              std::vector<std::string> choices, const std::string& help,
                              Effect effect) {
  ConfigKey key;
  key.path = prefix_ + name;
  key.help = help;
  key.range = join(choices, " | ");
  key.effect = effect;
  key.initial = field;
  std::string* target = &field;
  key.get = [target] { return ConfigValue(*target); };
  key.set = [target, choices, path = key.path](const ConfigValue& value) {
    const auto& text = std::get<std::string>(value);
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      const std::string suggestion = nearest(text, choices);
      throw ConfigError(path + ": wanted one of " + join(choices, " | ") + ", found '" + text +
                        "'" + (suggestion.empty() ? "" : "; did you mean '" + suggestion + "'?"));
    }
    *target = text;
  };
  add_key(std::move(key));
}

void ConfigSchema::read_yaml(const std::filesystem::path& path) {
  std::string text;
  try {
    text = read_text(path);
  } catch (const DataError& e) {
    throw ConfigError(e.what());
  }
  read_yaml_text(text, path.string());
}

void ConfigSchema::read_yaml_text(const std::string& text, const std::string& where) {
  YAML::Node root;
  try {
    root = YAML::Load(text);
  } catch (const YAML::Exception& e) {
    throw ConfigError(where + ":" + std::to_string(e.mark.line + 1) + ": not valid YAML: " + e.msg);
  }
  if (root.IsNull()) {
    return;
  }
  require<ConfigError>(root.IsMap(), where + ": wanted keys with values at the top level");
  YamlReader reader{keys_, where, {}};
  reader.read(root, "");
  require<ConfigError>(reader.problems.empty(), join(reader.problems, "\n"));
}

void ConfigSchema::set(const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  require<ConfigError>(equals != std::string::npos && equals > 0,
                       "--set: wanted key=value, found '" + assignment + "'");
  const std::string path = assignment.substr(0, equals);
  const auto found = std::find_if(keys_.begin(), keys_.end(),
                                  [&](const ConfigKey& key) { return key.path == path; });
  require<ConfigError>(found != keys_.end(),
                       "--set " + assignment + ": " + unknown_key(path, keys_));
  YAML::Node node;
  const std::string text = assignment.substr(equals + 1);
  try {
    // A text is taken as typed: paths may hold characters that mean something in YAML.
    node =
        std::holds_alternative<std::string>(found->initial) ? YAML::Node(text) : YAML::Load(text);
  } catch (const YAML::Exception& e) {
    throw ConfigError("--set " + assignment + ": not valid YAML: " + e.msg);
  }
  const std::string problem = assign(*found, node);
  require<ConfigError>(problem.empty(), problem);
}

std::string ConfigSchema::to_yaml() const {
  std::string text;
  std::vector<std::string> open;
  for (const ConfigKey& key : keys_) {
    std::vector<std::string> parts = split(key.path, '.');
    const std::string name = parts.back();
    parts.pop_back();
    std::size_t shared = 0;
    while (shared < parts.size() && shared < open.size() && parts[shared] == open[shared]) {
      ++shared;
    }
    for (std::size_t level = shared; level < parts.size(); ++level) {
      text += std::string(2 * level, ' ') + parts[level] + ":\n";
    }
    open = parts;
    text += std::string(2 * parts.size(), ' ') + name + ": " + text_of(key.get()) + "\n";
  }
  return text;
}

Json ConfigSchema::to_json() const {
  Json json = Json::object();
  for (const ConfigKey& key : keys_) {
    json[key.path] = json_of(key.get());
  }
  return json;
}

Json ConfigSchema::result_keys(const ConfigSchema& defaults) const {
  std::map<std::string, Json> sorted;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    require(keys_[i].path == defaults.keys_.at(i).path,
            "result_keys: the defaults are of another schema");
    if (keys_[i].effect == Effect::kResult && keys_[i].get() != defaults.keys_[i].get()) {
      sorted[keys_[i].path] = json_of(keys_[i].get());
    }
  }
  Json json = Json::object();
  for (const auto& [path, value] : sorted) {
    json[path] = value;
  }
  return json;
}

std::string ConfigSchema::help() const {
  std::vector<std::vector<std::string>> rows{{"key", "default", "range", "meaning"}};
  for (const ConfigKey& key : keys_) {
    rows.push_back({key.path, text_of(key.initial), key.range, key.help});
  }
  return format_table(rows);
}

}  // namespace hepar
