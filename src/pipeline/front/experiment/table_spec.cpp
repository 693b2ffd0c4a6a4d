#include <algorithm>

#include "experiment/source.h"
#include "hepar/core/error.h"

namespace hepar::detail {
namespace {

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> kKeys{"title",  "scores", "cohort",  "rows",
                                              "titles", "groups", "compare", "paper"};
  return kKeys;
}

std::vector<std::string> texts_of(const Json& value) {
  std::vector<std::string> texts;
  for (const Json& item : value.is_array() ? value : Json::array({value})) {
    require<ConfigError>(item.is_string(), "wanted a text or a list of texts");
    texts.push_back(item);
  }
  return texts;
}

class TableReader {
 public:
  TableReader(const ExperimentSource& source, const Json& table, Problems& problems)
      : source_(source), table_(table), problems_(problems) {}

  TableSpec read() {
    for (const auto& [key, ignored] : table_.items()) {
      if (std::find(known_keys().begin(), known_keys().end(), key) == known_keys().end()) {
        add(key, "unknown key '" + key + "'" + suggestion(key, known_keys()));
      }
    }
    TableSpec spec;
    spec.title = text("title", false);
    spec.scores = name("scores", names_of(source_.stages));
    spec.cohort = name("cohort", names_of(source_.stages));
    std::vector<std::string> axes;
    for (const auto& [axis, settings] : source_.axes) {
      axes.push_back(axis);
    }
    spec.rows = name("rows", axes);
    guarded("titles", [&] { spec.titles = table_.value("titles", Json::object()); });
    const Json groups = table_.value("groups", Json::object());
    for (const auto& [group, conditions] : groups.items()) {
      guarded("groups." + group, [&] { spec.groups.push_back(read_group(group, conditions)); });
    }
    for (const Json& pair : table_.value("compare", Json::array())) {
      guarded("compare", [&] { spec.compare.push_back(read_pair(pair, spec.rows)); });
    }
    spec.paper = table_.value("paper", Json::object());
    return spec;
  }

 private:
  void add(const std::string& path, const std::string& text) {
    problems_.add(source_.document.place("table." + path) + ": table." + path + ": " + text);
  }

  template <class Read>
  void guarded(const std::string& path, Read&& read) {
    try {
      read();
    } catch (const std::exception& e) {
      add(path, e.what());
    }
  }

  std::string text(const std::string& key, bool needed) {
    const Json value = table_.value(key, Json(nullptr));
    if (!value.is_string() && (needed || !value.is_null())) {
      add(key, "wanted a name");
    }
    return value.is_string() ? value.get<std::string>() : "";
  }

  std::string name(const std::string& key, const std::vector<std::string>& known) {
    const std::string found = text(key, true);
    if (!found.empty() && std::find(known.begin(), known.end(), found) == known.end()) {
      add(key, "there is no '" + found + "'" + suggestion(found, known));
    }
    return found;
  }

  static TableSpec::Group read_group(const std::string& name, const Json& conditions) {
    require<ConfigError>(conditions.is_object(), "wanted {split: …, domain: …}");
    TableSpec::Group group{.name = name, .split = {}, .domain = {}};
    for (const auto& [key, value] : conditions.items()) {
      require<ConfigError>(
          key == "split" || key == "domain",
          "unknown condition '" + key + "'" + suggestion(key, {"split", "domain"}));
      (key == "split" ? group.split : group.domain) = texts_of(value);
    }
    return group;
  }

  [[nodiscard]] std::pair<std::string, std::string> read_pair(const Json& pair,
                                                              const std::string& axis) const {
    const std::vector<std::string> rows = texts_of(pair);
    require<ConfigError>(rows.size() == 2, "wanted pairs [row, minus row]");
    for (const auto& [name, settings] : source_.axes) {
      for (const std::string& row : name == axis ? rows : std::vector<std::string>{}) {
        require<ConfigError>(std::find(settings.begin(), settings.end(), row) != settings.end(),
                             "there is no row '" + row + "'" + suggestion(row, settings));
      }
    }
    return {rows[0], rows[1]};
  }

  const ExperimentSource& source_;
  const Json& table_;
  Problems& problems_;
};

}  // namespace

std::optional<TableSpec> read_table(const ExperimentSource& source, Problems& problems) {
  const Json& root = source.document.value;
  if (!root.is_object() || !root.contains("table")) {
    return std::nullopt;
  }
  if (!root["table"].is_object()) {
    problems.add(source.document.place("table") +
                 ": table: wanted {scores: …, cohort: …, rows: …}");
    return std::nullopt;
  }
  return TableReader(source, root["table"], problems).read();
}

}  // namespace hepar::detail
