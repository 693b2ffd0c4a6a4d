#include "experiment/source.h"

#include <algorithm>
#include <set>

#include "experiment/sweep_source.h"
#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar::detail {
namespace {

const std::vector<std::string>& sections() {
  static const std::vector<std::string> kSections{"name",   "values", "axes", "defaults",
                                                  "stages", "table",  "sweep"};
  return kSections;
}

bool is_name(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
}

void flatten(const Json& map, const std::string& path, const std::string& prefix,
             std::vector<KeySource>& keys) {
  for (const auto& [key, value] : map.items()) {
    if (value.is_object()) {
      flatten(value, path + "." + key, prefix + key + ".", keys);
    } else if (!value.is_null()) {
      keys.push_back({prefix + key, value, path + "." + key});
    }
  }
}

class SourceReader {
 public:
  SourceReader(ExperimentSource& source, Problems& problems)
      : source_(source), problems_(problems), root_(source.document.value) {}

  void read() {
    if (!root_.is_object()) {
      problems_.add(source_.document.where + ": wanted the sections " + join(sections(), ", "));
      return;
    }
    for (const auto& [key, value] : root_.items()) {
      if (std::find(sections().begin(), sections().end(), key) == sections().end()) {
        add(key, "unknown section '" + key + "'" + suggestion(key, sections()));
      }
    }
    read_name();
    read_values();
    read_axes();
    read_stages();
    flatten(section("sweep"), "sweep", "", source_.sweep_keys);
  }

 private:
  void add(const std::string& path, const std::string& text) {
    problems_.add(source_.document.place(path) + ": " + text);
  }

  [[nodiscard]] Json section(const std::string& name) {
    const Json value = root_.value(name, Json(nullptr));
    if (!value.is_null() && !value.is_object()) {
      add(name, "section '" + name + "': wanted names with values, found a " + value.type_name());
    }
    return value.is_object() ? value : Json::object();
  }

  void read_name() {
    const Json name = root_.value("name", Json(nullptr));
    if (!name.is_string() || !is_name(name)) {
      add("name", "wanted 'name: …' in letters, digits, - and _: it names the results' folder");
      return;
    }
    source_.name = name;
  }

  void read_values() {
    const Json values = section("values");
    for (const auto& [name, value] : values.items()) {
      if (!is_name(name) || value.is_object() || value.is_null()) {
        add("values." + name, "value '" + name + "': wanted a text, a number or a list");
      }
      source_.values[name] = value;
    }
  }

  void read_axes() {
    const Json axes = section("axes");
    for (const auto& [name, value] : axes.items()) {
      AxisSource axis{.name = name, .settings = {}};
      try {
        axis = read_axis(name, value);
      } catch (const ConfigError& e) {
        add("axes." + name, "axis '" + name + "': " + e.what());
      }
      if (source_.values.contains(name)) {
        add("axes." + name, "'" + name + "' is an axis and a value; rename one");
      }
      source_.axes.push_back(std::move(axis));
    }
  }

  void read_stages() {
    const Json defaults = section("defaults");
    std::set<std::string> used;
    const Json stages = section("stages");
    for (const auto& [name, keys] : stages.items()) {
      if (!is_name(name) || !keys.is_object()) {
        add("stages." + name,
            "stage '" + name +
                "': wanted {command: COMMAND, key: value, …} and a name in letters, "
                "digits, - and _");
        continue;
      }
      StageSource stage{.name = name, .command = "", .keys = {}};
      std::vector<KeySource> own;
      flatten(keys, "stages." + name, "", own);
      const auto command = std::find_if(own.begin(), own.end(),
                                        [](const auto& entry) { return entry.key == "command"; });
      if (command == own.end() || !command->value.is_string()) {
        add("stages." + name, "stage '" + name + "': which command? (command: train)");
      } else {
        stage.command = command->value;
        own.erase(command);
      }
      if (defaults.contains(stage.command)) {
        used.insert(stage.command);
        flatten(defaults[stage.command], "defaults." + stage.command, "", stage.keys);
      }
      for (const KeySource& entry : own) {
        set_key(stage.keys, entry);
      }
      source_.stages.push_back(std::move(stage));
    }
    for (const auto& [command, keys] : defaults.items()) {
      if (!used.contains(command) || !keys.is_object()) {
        add("defaults." + command, "defaults of '" + command + "': wanted the keys of a command " +
                                       "that some stage runs");
      }
    }
    if (source_.stages.empty()) {
      add("stages", "no stage: wanted 'stages:' with at least one NAME: {command: COMMAND, …}");
    }
  }

  ExperimentSource& source_;
  Problems& problems_;
  const Json root_;
};

/// "axes.seed=[0,1]" and its kin, over what the file says.
class Overrides {
 public:
  Overrides(ExperimentSource& source, Problems& problems) : source_(source), problems_(problems) {}

  void apply(const std::string& assignment) {
    const std::size_t equals = assignment.find('=');
    const std::size_t dot = assignment.find('.');
    if (equals == std::string::npos || dot == std::string::npos || dot > equals) {
      add(assignment, "wanted axes.NAME=[…], values.NAME=…, stages.STAGE.KEY=… or sweep.KEY=…");
      return;
    }
    const std::string section = assignment.substr(0, dot);
    const std::string name = assignment.substr(dot + 1, equals - dot - 1);
    const Json value = parse_yaml_document(assignment.substr(equals + 1), "--set " + name).value;
    if (section == "axes") {
      set_axis(assignment, name, value);
    } else if (section == "values") {
      set_value(assignment, name, value);
    } else if (section == "stages") {
      set_stage_key(assignment, name, value);
    } else if (section == "sweep" && source_.document.value.contains("sweep")) {
      set_key(source_.sweep_keys, {name, value, "sweep." + name});
    } else {
      add(assignment, "unknown section '" + section + "'" +
                          suggestion(section, {"axes", "values", "stages", "sweep"}));
    }
  }

 private:
  void add(const std::string& assignment, const std::string& text) {
    problems_.add("--set " + assignment + ": " + text);
  }

  void set_axis(const std::string& assignment, const std::string& name, const Json& value) {
    try {
      AxisSource axis = read_axis(name, value);
      const auto known = std::find_if(source_.axes.begin(), source_.axes.end(),
                                      [&](const AxisSource& a) { return a.name == name; });
      if (known != source_.axes.end()) {
        *known = std::move(axis);
      } else if (name.find('.') != std::string::npos) {
        // `stage.key` opens a new axis over any key; a plain name would be used by nothing.
        source_.axes.push_back(std::move(axis));
      } else {
        add(assignment, "unknown axis '" + name + "'" + suggestion(name, names_of(source_.axes)));
      }
    } catch (const ConfigError& e) {
      add(assignment, e.what());
    }
  }

  void set_value(const std::string& assignment, const std::string& name, const Json& value) {
    std::vector<std::string> names;
    for (const auto& [known, ignored] : source_.values) {
      names.push_back(known);
    }
    if (!source_.values.contains(name)) {
      add(assignment, "unknown value '" + name + "'" + suggestion(name, names));
      return;
    }
    source_.values[name] = value;
  }

  void set_stage_key(const std::string& assignment, const std::string& path, const Json& value) {
    const std::string name = path.substr(0, path.find('.'));
    const auto stage = std::find_if(source_.stages.begin(), source_.stages.end(),
                                    [&](const StageSource& s) { return s.name == name; });
    if (stage == source_.stages.end() || name == path) {
      add(assignment, "unknown stage '" + name + "'" + suggestion(name, names_of(source_.stages)));
      return;
    }
    set_key(stage->keys, {path.substr(name.size() + 1), value, "stages." + path});
  }

  ExperimentSource& source_;
  Problems& problems_;
};

}  // namespace

const KeySource* StageSource::find(const std::string& key) const {
  const auto found = std::find_if(keys.begin(), keys.end(),
                                  [&](const KeySource& entry) { return entry.key == key; });
  return found == keys.end() ? nullptr : &*found;
}

void set_key(std::vector<KeySource>& keys, const KeySource& entry) {
  const auto known = std::find_if(keys.begin(), keys.end(),
                                  [&](const KeySource& other) { return other.key == entry.key; });
  if (known == keys.end()) {
    keys.push_back(entry);
  } else {
    *known = entry;
  }
}

std::vector<std::string> names_of(const std::vector<StageSource>& stages) {
  std::vector<std::string> names;
  std::transform(stages.begin(), stages.end(), std::back_inserter(names),
                 [](const StageSource& stage) { return stage.name; });
  return names;
}

ExperimentSource read_source(YamlDocument document, const std::vector<std::string>& overrides,
                             Problems& problems) {
  ExperimentSource source;
  source.document = std::move(document);
  SourceReader(source, problems).read();
  for (const std::string& assignment : overrides) {
    Overrides(source, problems).apply(assignment);
  }
  for (const StageSource& stage : source.stages) {
    if (find_axis(source.axes, stage.name) != nullptr || source.values.contains(stage.name)) {
      problems.add(source.document.place("stages." + stage.name) + ": '" + stage.name +
                   "' is a stage and an axis or a value; rename one");
    }
  }
  for (std::size_t i = 0; i < source.axes.size(); ++i) {
    const AxisSource& axis = source.axes[i];
    const std::vector<AxisSource> before(source.axes.begin(),
                                         source.axes.begin() + static_cast<std::ptrdiff_t>(i));
    if (const std::string problem = condition_problem(axis, before); !problem.empty()) {
      problems.add(source.document.place("axes." + axis.name) + ": axis '" + axis.name +
                   "': " + problem);
    }
  }
  source.sweep = read_sweep(source, problems);
  draw_ranges(source, problems);
  return source;
}

}  // namespace hepar::detail
