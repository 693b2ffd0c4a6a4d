#include "hepar/pipeline/bracket.h"

#include <algorithm>
#include <sstream>

#include "experiment/result_tables.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

/// The rule and whom it is for: what decisions depend on beside the trials' outputs.
Json rule_of(const SweepSpec& sweep, const SweepTrials& trials) {
  std::set<std::string> ids;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    for (std::size_t rung = 0; rung < trials.rungs(); ++rung) {
      ids.insert(trials.trials(i, rung).begin(), trials.trials(i, rung).end());
    }
  }
  return {{"metric", sweep.metric.stage + " " + sweep.metric.key},
          {"goal", sweep.metric.goal},
          {"rungs", sweep.asha.rungs},
          {"eta", sweep.asha.eta},
          {"configurations", trials.size()},
          {"trials", to_hex(xxh64(join({ids.begin(), ids.end()}, " ")))}};
}

/// The log as it was read, once: whoever adds to it writes `text` and its own lines.
struct Log {
  fs::path file;
  std::string text;
  std::vector<Json> in_force;  ///< the last rule and what was decided by it

  void add(const std::string& lines) const { write_atomically(file, text + lines); }
};

Log read_log(const TrialStore& store) {
  Log log{.file = store.folder() / "decisions.jsonl", .text = "", .in_force = {}};
  if (fs::exists(log.file)) {
    log.text = read_text(log.file);
  }
  std::istringstream stream(log.text);
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    Json record = Json::parse(line, nullptr, false);
    require<DataError>(record.is_object() && (record.contains("bracket") || !log.in_force.empty()),
                       log.file.string() + " line " + std::to_string(number) +
                           ": wanted a rule or a decision after one; remove the file to have all "
                           "rungs decided again from what is done");
    if (record.contains("bracket")) {
      log.in_force.clear();
    }
    log.in_force.push_back(std::move(record));
  }
  return log;
}

std::string difference(const Json& before, const Json& now) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : now.items()) {
    if (!before.contains(key) || before[key] != value) {
      parts.push_back(key + ": " + (before.contains(key) ? before[key].dump() : "not there") +
                      " -> " + value.dump());
    }
  }
  return join(parts, ", ");
}

}  // namespace

std::size_t places(const SweepSpec::Asha& asha, std::size_t reached) {
  return std::max<std::size_t>(1, reached / static_cast<std::size_t>(asha.eta));
}

void open_decisions(const Experiment& experiment, const TrialStore& store, DecisionPolicy policy) {
  const Log log = read_log(store);
  const std::vector<Json>& lines = log.in_force;
  const Json rule = rule_of(*experiment.sweep, SweepTrials(experiment, store));
  if (!lines.empty() && lines.front()["bracket"] == rule) {
    const bool failed = std::any_of(lines.begin() + 1, lines.end(), [](const Json& line) {
      return line.contains("value") && line["value"].is_null();
    });
    if (!policy.retry_failed || !failed) {
      return;
    }
  } else {
    require<ConfigError>(
        lines.size() < 2 || policy.accept_changes,
        log.file.string() + ": rungs were decided by another rule: " +
            difference(lines.empty() ? Json::object() : lines.front()["bracket"], rule) +
            "\nUse another --out, or --accept-changes to decide them again: what is done stays "
            "done, what was stopped may go on from its checkpoint.");
  }
  log.add(Json{{"bracket", rule}}.dump() + "\n");
}

Bracket::Bracket(const Experiment& experiment, const TrialStore& store)
    : experiment_(experiment), store_(store), trials_(experiment, store) {
  for (const Cell& cell : experiment_.cells) {
    if (cell.axes.contains(kRungAxis)) {
      for (const auto& [axis, ignored] : trials_.configuration_axes(cell.axes)) {
        stage_axes_[cell.stage].insert(axis);
      }
    }
  }
  for (const auto& [stage, axes] : stage_axes_) {
    for (std::size_t i = 0; i < trials_.size(); ++i) {
      AxisValues seen = trials_.axes(i);
      std::erase_if(seen, [&, of = axes](const auto& entry) { return !of.contains(entry.first); });
      by_stage_[stage][seen].push_back(i);
    }
  }
  replay();
  close_trials();
}

void Bracket::replay() {
  const Log log = read_log(store_);
  const std::vector<Json>& lines = log.in_force;
  const std::vector<std::int64_t>& rungs = experiment_.sweep->asha.rungs;
  std::map<AxisValues, std::size_t> known;
  for (std::size_t i = 0; i < trials_.size(); ++i) {
    known[trials_.axes(i)] = i;
  }
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string where = log.file.string() + ": " + lines[i].dump();
    const auto configuration = known.find(json_get<AxisValues>(lines[i], "configuration", where));
    const auto steps = json_get<std::int64_t>(lines[i], "rung", where);
    const auto rung =
        static_cast<std::size_t>(std::find(rungs.begin(), rungs.end(), steps) - rungs.begin());
    require<DataError>(configuration != known.end() && rung + 1 < rungs.size() &&
                           (rung == decisions_.size() || rung + 1 == decisions_.size()),
                       where +
                           ": is not of this experiment; remove the file to have all rungs "
                           "decided again from what is done");
    decisions_.resize(rung + 1);
    const Json value = json_get<Json>(lines[i], "value", where);
    decisions_[rung].push_back(
        {.configuration = configuration->second,
         .value = value.is_null() ? std::nullopt : std::optional(value.get<double>()),
         .promoted = json_get<bool>(lines[i], "promoted", where),
         .why = json_get<std::string>(lines[i], "why", where)});
  }
}

std::vector<std::size_t> Bracket::entrants(std::size_t rung) const {
  std::vector<std::size_t> found;
  if (rung == 0) {
    for (std::size_t i = 0; i < trials_.size(); ++i) {
      found.push_back(i);
    }
  } else if (rung <= decisions_.size()) {
    for (const RungDecision& decision : decisions_[rung - 1]) {
      if (decision.promoted) {
        found.push_back(decision.configuration);
      }
    }
  }
  return found;
}

std::vector<std::string> Bracket::decide(const Progression& at) {
  std::vector<std::string> said;
  while (decisions_.size() + 1 < trials_.rungs()) {
    std::optional<std::vector<RungDecision>> next = decision(at);
    if (!next) {
      break;
    }
    decisions_.push_back(std::move(*next));
    const std::size_t rung = decisions_.size() - 1;
    if (record(rung)) {
      said.push_back("rung of " + std::to_string(experiment_.sweep->asha.rungs[rung]) +
                     " steps: " + std::to_string(entrants(rung + 1).size()) + " of " +
                     std::to_string(entrants(rung).size()) + " configurations go on; best " +
                     detail::fixed(decisions_[rung].front().value.value(), 4) + " (" +
                     to_string(trials_.axes(decisions_[rung].front().configuration)) + ")");
    }
    close_trials();
  }
  return said;
}

/// Of the first rung that is not decided; none as long as it cannot be.
std::optional<std::vector<RungDecision>> Bracket::decision(const Progression& at) const {
  const std::size_t rung = decisions_.size();
  const std::vector<std::size_t> reached = entrants(rung);
  if (!std::all_of(reached.begin(), reached.end(),
                   [&](std::size_t i) { return trials_.ended(i, rung, at); })) {
    return std::nullopt;
  }
  std::vector<std::pair<std::size_t, SweepTrials::Value>> ranked;
  for (const std::size_t i : reached) {
    ranked.emplace_back(i, trials_.value(i, rung, at));
  }
  std::sort(ranked.begin(), ranked.end(),
            [&](const auto& a, const auto& b) { return trials_.better(a, b); });
  if (!ranked.front().second.value) {
    return std::nullopt;
  }
  const std::size_t promoted = places(experiment_.sweep->asha, ranked.size());
  std::vector<RungDecision> decisions;
  for (const auto& [i, value] : ranked) {
    const std::size_t rank = decisions.size() + 1;
    decisions.push_back({.configuration = i,
                         .value = value.value,
                         .promoted = rank <= promoted && value.value.has_value(),
                         .why = value.value ? "rank " + std::to_string(rank) + " of " +
                                                  std::to_string(ranked.size()) + ", " +
                                                  std::to_string(promoted) + " go on"
                                            : value.missing});
  }
  return decisions;
}

/// False when another group has written this rung already: it decided the same. Two that write in
/// the same instant write the same file.
bool Bracket::record(std::size_t rung) const {
  const std::int64_t steps = experiment_.sweep->asha.rungs[rung];
  const Log log = read_log(store_);
  if (std::any_of(log.in_force.begin(), log.in_force.end(), [&](const Json& line) {
        return line.contains("rung") && line["rung"] == steps;
      })) {
    return false;
  }
  std::string lines;
  for (const RungDecision& decision : decisions_[rung]) {
    lines += Json{{"rung", steps},
                  {"configuration", trials_.axes(decision.configuration)},
                  {"trials", trials_.trials(decision.configuration, rung)},
                  {"value", decision.value ? Json(*decision.value) : Json(nullptr)},
                  {"promoted", decision.promoted},
                  {"why", decision.why}}
                 .dump() +
             "\n";
  }
  log.add(lines);
  return true;
}

/// A trial may run when one of the configurations that it is of may.
void Bracket::close_trials() {
  std::vector<std::size_t> reached(trials_.size(), 0);  // the last rung that it may run
  for (std::size_t rung = 1; rung <= decisions_.size(); ++rung) {
    for (const std::size_t i : entrants(rung)) {
      reached[i] = rung;
    }
  }
  std::set<std::string> open, waiting;
  closed_.clear();
  for (const Cell& cell : experiment_.cells) {
    const auto at = cell.axes.find(kRungAxis);
    if (at == cell.axes.end()) {
      open.insert(cell.id);
      continue;
    }
    const std::vector<std::int64_t>& rungs = experiment_.sweep->asha.rungs;
    const auto rung = static_cast<std::size_t>(
        std::find(rungs.begin(), rungs.end(), std::stoll(at->second)) - rungs.begin());
    for (const std::size_t i : by_stage_.at(cell.stage)[trials_.configuration_axes(cell.axes)]) {
      if (rung <= reached[i]) {
        open.insert(cell.id);
      } else if (reached[i] == decisions_.size()) {
        waiting.insert(cell.id);
      }
    }
    closed_.insert(cell.id);
  }
  std::erase_if(closed_, [&](const std::string& id) { return open.contains(id); });
  stopped_ = closed_;
  std::erase_if(stopped_, [&](const std::string& id) { return waiting.contains(id); });
}

}  // namespace hepar
