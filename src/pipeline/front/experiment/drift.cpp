#include "experiment/drift.h"

#include <set>

#include "experiment/stage_settings.h"
#include "hepar/core/text.h"

namespace hepar::detail {
namespace {

constexpr std::size_t kShown = 8;

/// A value with upstream ids taken out: those change with their own trials.
Json without_ids(const Json& value) {
  return replace_tokens(value, [](const std::string&) { return std::string("${…}"); });
}

std::string shown(const Json& config, const std::string& key) {
  return config.contains(key) ? config[key].dump() : "not given";
}

std::string difference(const Trial& before, const Trial& now) {
  std::vector<std::string> parts;
  std::set<std::string> keys;
  for (const Json* config : {&before.config, &now.config}) {
    for (const auto& [key, ignored] : config->items()) {
      keys.insert(key);
    }
  }
  if (before.command != now.command) {
    parts.push_back("command: " + before.command + " -> " + now.command);
  }
  for (const std::string& key : keys) {
    const bool both = before.config.contains(key) && now.config.contains(key);
    if (!both || without_ids(before.config[key]) != without_ids(now.config[key])) {
      parts.push_back(key + ": " + shown(before.config, key) + " -> " + shown(now.config, key));
    }
  }
  return join(parts, ", ");
}

std::string label(const Cell& cell) {
  return "stage " + cell.stage + (cell.axes.empty() ? "" : " (" + to_string(cell.axes) + ")");
}

}  // namespace

std::vector<std::string> drift(const Experiment& before, const Experiment& now) {
  std::vector<std::string> lines;
  std::vector<std::string> unexplained;
  for (const Cell& cell : now.cells) {
    const Cell* old = before.cell(cell.stage, cell.axes);
    if (old == nullptr || old->id == cell.id) {
      continue;
    }
    const std::string what = difference(before.trial(old->id), now.trial(cell.id));
    if (!what.empty()) {
      lines.push_back(label(cell) + ": " + what);
    } else if (now.trial(cell.id).inputs.empty()) {
      unexplained.push_back(label(cell) + ": its input data or a default of the program changed");
    }
  }
  lines.insert(lines.end(), unexplained.begin(), unexplained.end());
  if (lines.empty()) {
    for (const Cell& cell : now.cells) {
      const Cell* old = before.cell(cell.stage, cell.axes);
      if (old != nullptr && old->id != cell.id) {
        lines.push_back(label(cell) + ": a default of the program changed");
      }
    }
  }
  return lines;
}

std::string first_lines(const std::vector<std::string>& lines) {
  std::vector<std::string> shown(
      lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, lines.size())));
  if (lines.size() > kShown) {
    shown.push_back("… and " + std::to_string(lines.size() - kShown) + " more");
  }
  return join(shown, "\n  ");
}

}  // namespace hepar::detail
