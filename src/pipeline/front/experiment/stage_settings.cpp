#include "experiment/stage_settings.h"

#include <algorithm>
#include <map>

#include "experiment/input_stamp.h"
#include "experiment/problems.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/text.h"

namespace hepar::detail {
namespace {

constexpr std::size_t kIdLength = 16;

const ConfigKey* find_key(const ConfigSchema& schema, const std::string& path) {
  const auto found = std::find_if(schema.keys().begin(), schema.keys().end(),
                                  [&](const ConfigKey& key) { return key.path == path; });
  return found == schema.keys().end() ? nullptr : &*found;
}

std::vector<std::string> paths_of(const ConfigSchema& schema) {
  std::vector<std::string> paths;
  for (const ConfigKey& key : schema.keys()) {
    if (key.path != "out") {
      paths.push_back(key.path);
    }
  }
  return paths;
}

bool is_list(const ConfigValue& value) {
  return std::holds_alternative<std::vector<std::int64_t>>(value) ||
         std::holds_alternative<std::vector<double>>(value) ||
         std::holds_alternative<std::vector<std::string>>(value);
}

/// One text for a list key: a path is one item, else commas separate, as on the command line.
Json listed(const std::string& text) {
  const bool path = text.find('/') != std::string::npos || text.find("@{") != std::string::npos;
  return path ? Json::array({text}) : Json(split(text, ','));
}

/// The texts of a text key that names no choice: what may be a path. Empty for other keys.
std::vector<std::string> free_texts(const ConfigKey& key) {
  const ConfigValue value = key.get();
  if (!key.range.empty()) {
    return {};
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return text->empty() ? std::vector<std::string>{} : std::vector<std::string>{*text};
  }
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  return list == nullptr ? std::vector<std::string>{} : *list;
}

/// Where a text of an input key comes from: the token of a trial, or the stamp of outside data.
/// Keys that affect results hold names as well as paths: there only what exists is stamped.
std::string origin_of(const std::string& text, const ConfigKey& key,
                      std::vector<std::string>& problems) {
  if (text.find("@{") != std::string::npos) {
    return text;
  }
  const bool path_only = key.effect == Effect::kNone;
  if (!path_only && (text.find('/') == std::string::npos || !fs::exists(text))) {
    return "";
  }
  try {
    return "data:" + input_stamp(text);
  } catch (const DataError& e) {
    problems.push_back(key.path + ": " + e.what());
    return "";
  }
}

}  // namespace

std::string input_token(const std::string& id) { return "@{" + id + "}"; }

std::vector<std::string> tokens_of(const Json& value) {
  std::vector<std::string> ids;
  for (const Json& item : value.is_array() ? value : Json::array({value})) {
    const std::string text = item.get<std::string>();
    for (std::size_t at = text.find("@{"); at != std::string::npos; at = text.find("@{", at + 1)) {
      ids.push_back(text.substr(at + 2, kIdLength));
    }
  }
  return ids;
}

Json replace_tokens(const Json& value, const std::function<std::string(const std::string&)>& path) {
  if (value.is_array()) {
    Json items = Json::array();
    for (const Json& item : value) {
      items.push_back(replace_tokens(item, path));
    }
    return items;
  }
  std::string text = value.get<std::string>();
  for (std::size_t at = text.find("@{"); at != std::string::npos; at = text.find("@{", at)) {
    const std::string by = path(text.substr(at + 2, kIdLength));
    text.replace(at, kIdLength + 3, by);
    at += by.size();
  }
  return text;
}

std::string apply(const Setting& setting, const std::string& command, ConfigSchema& schema) {
  const std::string where = setting.place + ": ";
  const ConfigKey* key = find_key(schema, setting.key);
  if (key == nullptr) {
    return where + command + " has no key '" + setting.key + "'" +
           suggestion(setting.key, paths_of(schema));
  }
  if (setting.key == "out") {
    return where + "'out' is chosen by the experiment: other stages write ${STAGE}";
  }
  if (setting.value.is_array() && !is_list(key->initial)) {
    return where + setting.key + ": wanted one value, found a list";
  }
  try {
    const bool list = is_list(key->initial);
    const Json items = list && setting.value.is_string() ? listed(setting.value) : setting.value;
    schema.set(setting.key + "=" + (list ? items.dump() : items.get<std::string>()));
    return "";
  } catch (const ConfigError& e) {
    return where + e.what();
  }
}

Identity identity(const StageKind& kind, const std::vector<Setting>& settings,
                  std::vector<std::string>& problems) {
  ConfigSchema schema, defaults;
  const std::shared_ptr<void> config = kind.declare(schema), initial = kind.declare(defaults);
  for (const Setting& setting : settings) {
    if (const std::string problem = apply(setting, kind.command, schema); !problem.empty()) {
      problems.push_back(problem);
    }
  }
  Json keys = schema.result_keys(defaults);
  std::map<std::string, Json> inputs;  // by name: the order in the file means nothing
  for (const Setting& setting : settings) {
    const ConfigKey* key = find_key(schema, setting.key);
    for (const std::string& text : key == nullptr ? std::vector<std::string>{} : free_texts(*key)) {
      if (const std::string origin = origin_of(text, *key, problems); !origin.empty()) {
        inputs[setting.key].push_back(origin);
        keys.erase(setting.key);
      }
    }
  }
  const ConfigKey* steps = find_key(schema, "train.steps");
  return {.decides = {{"command", kind.command}, {"keys", keys}, {"inputs", inputs}},
          .steps = steps == nullptr ? 0 : std::get<std::int64_t>(steps->get())};
}

}  // namespace hepar::detail
