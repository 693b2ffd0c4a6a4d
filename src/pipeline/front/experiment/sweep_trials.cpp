#include <algorithm>
#include <cmath>
#include <fstream>

#include "experiment/progress_of.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/sweep.h"

namespace hepar {
namespace {

std::string keys_of(const Json& value) {
  std::vector<std::string> keys;
  for (const auto& [key, ignored] : value.items()) {
    keys.push_back(key);
  }
  return value.is_structured() ? "found " + join(keys, ", ")
                               : "found " + std::string(value.type_name());
}

/// The value at a dotted key; parts of lists are numbers. Null when there is none.
const Json* find(const Json& document, const std::string& key) {
  const Json* at = &document;
  for (const std::string& part : split(key, '.')) {
    const bool number = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    if (at->is_array() && number && std::stoull(part) < at->size()) {
      at = &(*at)[std::stoull(part)];
    } else if (at->is_object() && at->contains(part)) {
      at = &(*at)[part];
    } else {
      return nullptr;
    }
  }
  return at;
}

/// The last line of metrics.jsonl that has the key.
Json last_with(const fs::path& file, const std::string& key) {
  std::ifstream stream(file);
  Json found = Json::object();
  std::string line;
  while (std::getline(stream, line)) {
    Json record = Json::parse(line, nullptr, false);  // a kill may have cut the last line
    if (record.is_object() && (found.empty() || find(record, key) != nullptr)) {
      found = std::move(record);
    }
  }
  return found;
}

}  // namespace

SweepTrials::SweepTrials(const Experiment& experiment, const TrialStore& store)
    : experiment_(experiment), store_(store) {
  const SweepSpec& sweep = *experiment.sweep;
  for (const Cell& cell : experiment.cells) {
    for (const auto& [axis, ignored] : cell.axes) {
      const bool repeat =
          std::find(sweep.repeats.begin(), sweep.repeats.end(), axis) != sweep.repeats.end();
      if (cell.stage == sweep.metric.stage && axis != kRungAxis && !repeat) {
        axes_.insert(axis);
      }
    }
  }
  std::map<AxisValues, std::size_t> known;
  std::vector<std::string> rungs{""};
  if (sweep.stops_early()) {
    rungs.clear();
    for (const std::int64_t rung : sweep.asha.rungs) {
      rungs.push_back(std::to_string(rung));
    }
  }
  for (const Cell& cell : experiment.cells) {
    if (cell.stage != sweep.metric.stage) {
      continue;
    }
    const AxisValues own = configuration_axes(cell.axes);
    const auto [at, fresh] = known.try_emplace(own, configurations_.size());
    if (fresh) {
      configurations_.push_back({own, std::vector<std::vector<std::string>>(rungs.size())});
    }
    const auto rung = cell.axes.find(kRungAxis);
    const auto number =
        std::find(rungs.begin(), rungs.end(), rung == cell.axes.end() ? "" : rung->second) -
        rungs.begin();
    configurations_[at->second].trials[static_cast<std::size_t>(number)].push_back(cell.id);
  }
}

AxisValues SweepTrials::configuration_axes(const AxisValues& cell) const {
  AxisValues own = cell;
  std::erase_if(own, [&](const auto& entry) { return !axes_.contains(entry.first); });
  return own;
}

bool SweepTrials::ended(std::size_t configuration, std::size_t rung, const Progression& at) const {
  const std::vector<std::string>& ids = trials(configuration, rung);
  return std::all_of(ids.begin(), ids.end(), [&](const std::string& id) {
    const auto state = at.states.find(id);
    return at.blocked.contains(id) ||
           (state != at.states.end() &&
            (state->second == TrialState::kDone || state->second == TrialState::kFailed));
  });
}

SweepTrials::Value SweepTrials::value(std::size_t configuration, std::size_t rung,
                                      const Progression& at) const {
  Value found{.value = 0.0};
  for (const std::string& id : trials(configuration, rung)) {
    const Trial& trial = experiment_.trial(id);
    const auto state = at.states.find(id);
    const auto cause = at.blocked.find(id);
    if (state != at.states.end() && state->second == TrialState::kDone) {
      const std::optional<double> one = read(trial);
      if (found.value && one) {
        *found.value += *one / static_cast<double>(trials(configuration, rung).size());
        continue;
      }
      found.missing = detail::label(trial) + " says null";
    } else if (cause != at.blocked.end()) {
      found.missing = detail::label(experiment_.trial(cause->second)) + " failed";
    } else if (state != at.states.end() && state->second == TrialState::kFailed) {
      found.missing = detail::label(trial) + " failed";
    } else {
      found.missing = "not done yet";
    }
    found.value.reset();
  }
  return found;
}

std::optional<double> SweepTrials::read(const Trial& trial) const {
  const std::string& key = experiment_.sweep->metric.key;
  const bool training = trial.command == "train";
  const fs::path file = training ? store_.output(trial) / "metrics.jsonl" : store_.output(trial);
  const Json document = training ? last_with(file, key) : read_json(file);
  const Json* found = find(document, key);
  require<DataError>(found != nullptr && (found->is_number() || found->is_null()),
                     file.string() + ": sweep.metric.key: wanted a number at '" + key + "', " +
                         keys_of(found == nullptr ? document : *found) +
                         (training ? "; a metric of validations needs train.validate_every" : ""));
  const bool defined = found->is_number() && std::isfinite(found->get<double>());
  return defined ? std::optional(found->get<double>()) : std::nullopt;
}

bool SweepTrials::better(const std::pair<std::size_t, Value>& a,
                         const std::pair<std::size_t, Value>& b) const {
  if (a.second.value.has_value() != b.second.value.has_value()) {
    return a.second.value.has_value();
  }
  if (a.second.value && *a.second.value != *b.second.value) {
    return experiment_.sweep->metric.goal == "max" ? *a.second.value > *b.second.value
                                                   : *a.second.value < *b.second.value;
  }
  return trials(a.first, 0) < trials(b.first, 0);
}

}  // namespace hepar
