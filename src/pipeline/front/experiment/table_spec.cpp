#include <algorithm>

#include "experiment/source.h"
#include "hepar/core/error.h"
#include "hepar/pipeline/fusion.h"

namespace hepar::detail {
namespace {

constexpr const char* kPaper =
    "wanted ROW: {cirrhosis: {auc: …, acc: …}, substantial_fibrosis: {auc: …, acc: …}}";
const std::vector<std::string> kKinds{"masks", "staging"};

const std::vector<std::string>& known_keys(const std::string& kind) {
  static const std::vector<std::string> kMasks{"kind",   "title",  "scores",  "cohort", "rows",
                                               "titles", "groups", "compare", "paper"};
  static const std::vector<std::string> kStaging{"kind",   "title",   "scores",  "rows",  "titles",
                                                 "fusion", "ood",     "compare", "paper", "draws",
                                                 "noise",  "swapped", "fit"};
  return kind == "staging" ? kStaging : kMasks;
}

std::string text_of(const Json& value) {
  require<ConfigError>(value.is_string(), "wanted a text");
  return value;
}

void require_known(const std::string& what, const std::string& name,
                   const std::vector<std::string>& known) {
  require<ConfigError>(std::find(known.begin(), known.end(), name) != known.end(),
                       "there is no " + what + " '" + name + "'" + suggestion(name, known));
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
    TableSpec spec;
    spec.kind = kind();
    for (const auto& [key, ignored] : table_.items()) {
      const std::vector<std::string>& known = known_keys(spec.kind);
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        add(key,
            "unknown key '" + key + "' in a table of kind " + spec.kind + suggestion(key, known));
      }
    }
    spec.title = text("title", false);
    spec.scores = name("scores", names_of(source_.stages));
    spec.rows = name("rows", names_of(source_.axes));
    if (const AxisSource* axis = find_axis(source_.axes, spec.rows); axis && !axis->when.empty()) {
      add("rows", "the axis '" + spec.rows + "' does not exist everywhere (when)");
    }
    guarded("titles", [&] { spec.titles = table_.value("titles", Json::object()); });
    for (const Json& pair : table_.value("compare", Json::array())) {
      guarded("compare", [&] { spec.compare.push_back(read_pair(pair, spec.rows)); });
    }
    spec.paper = table_.value("paper", Json::object());
    if (spec.kind == "staging") {
      read_staging(spec);
    } else {
      read_masks(spec);
    }
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

  std::string kind() {
    const std::string found = table_.contains("kind") ? text("kind", true) : "";
    if (!found.empty() && std::find(kKinds.begin(), kKinds.end(), found) == kKinds.end()) {
      add("kind", "there is no kind '" + found + "'" + suggestion(found, kKinds));
    }
    return found.empty() ? kKinds.front() : found;
  }

  void read_masks(TableSpec& spec) {
    spec.cohort = name("cohort", names_of(source_.stages));
    const Json groups = table_.value("groups", Json::object());
    for (const auto& [group, conditions] : groups.items()) {
      guarded("groups." + group,
              [&, name = group, of = conditions] { spec.groups.push_back(read_group(name, of)); });
    }
  }

  void read_staging(TableSpec& spec) {
    for (const auto& [key, stage] :
         {std::pair{"noise", &spec.noise}, {"swapped", &spec.swapped}, {"fit", &spec.fit}}) {
      *stage = table_.contains(key) ? name(key, names_of(source_.stages)) : "";
      require_classify(key, *stage);
    }
    require_classify("scores", spec.scores);
    const std::vector<std::string> rows = settings_of(spec.rows);
    for_each("fusion", [&](const std::string& row, const Json& rule) {
      require_known("row", row, rows);
      FusionConfig fusion;
      ConfigSchema schema;
      fusion.declare(schema);
      schema.set("rule=" + text_of(rule));
      spec.fusion[row] = fusion.rule;
    });
    if (table_.contains("ood")) {
      guarded("ood", [&] { spec.ood = texts_of(table_["ood"]); });
    }
    guarded("draws", [&] {
      const std::string digits = text_of(table_.value("draws", Json(std::to_string(spec.draws))));
      constexpr std::size_t kMostDigits = 9;
      require<ConfigError>(digits.find_first_not_of("0123456789") == std::string::npos &&
                               digits.size() <= kMostDigits && std::stoll("0" + digits) > 0,
                           "wanted a number of draws, found '" + digits + "'");
      spec.draws = std::stoll(digits);
    });
    for_each("paper", [&](const std::string&, const Json& of_group) {
      require<ConfigError>(of_group.is_object(), kPaper);
      for (const auto& [row, questions] : of_group.items()) {
        require_known("row", row, rows);
        check_figures(questions);
      }
    });
  }

  void require_classify(const std::string& key, const std::string& found) {
    for (const StageSource& stage : source_.stages) {
      if (stage.name == found && stage.command != "classify") {
        add(key, "wanted a stage of command classify, which writes the scores of volumes; '" +
                     stage.name + "' is a stage of command " + stage.command);
      }
    }
  }

  static void check_figures(const Json& questions) {
    require<ConfigError>(questions.is_object(), kPaper);
    for (const auto& [question, figures] : questions.items()) {
      require_known("question", question, {"cirrhosis", "substantial_fibrosis"});
      require<ConfigError>(figures.is_object(), kPaper);
      for (const auto& [key, figure] : figures.items()) {
        require_known("figure", key, {"auc", "acc"});
        text_of(figure);
      }
    }
  }

  /// Each entry of a map, its problems at its own line.
  template <class Read>
  void for_each(const std::string& key, const Read& read) {
    const Json entries = table_.value(key, Json::object());
    if (!entries.is_object()) {
      add(key, "wanted names with values");
      return;
    }
    for (const auto& [name, value] : entries.items()) {
      guarded(key + "." + name, [&, name = name, value = value] { read(name, value); });
    }
  }

  [[nodiscard]] std::vector<std::string> settings_of(const std::string& axis) const {
    const AxisSource* found = find_axis(source_.axes, axis);
    return found == nullptr ? std::vector<std::string>{} : found->settings;
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
    for (const std::string& row : rows) {
      require_known("row", row, settings_of(axis));
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
