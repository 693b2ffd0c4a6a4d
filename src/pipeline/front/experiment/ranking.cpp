// The report of a sweep: its configurations, best first.
#include <algorithm>
#include <optional>
#include <set>

#include "experiment/csv_text.h"
#include "experiment/result_tables.h"
#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "hepar/core/version.h"
#include "hepar/pipeline/bracket.h"
#include "hepar/pipeline/schedule.h"
#include "hepar/pipeline/sweep.h"

namespace hepar {
namespace {

constexpr int kDigits = 4;

class Ranking {
 public:
  explicit Ranking(const TrialStore& store)
      : store_(store),
        experiment_(store.experiment()),
        states_(store.states()),
        blocked_(Schedule(experiment_, {}).blocked(states_)),
        trials_(experiment_, store_) {
    const Progression at{states_, blocked_};
    for (std::size_t i = 0; i < trials_.size(); ++i) {
      values_.emplace_back();
      for (std::size_t rung = 0; rung < trials_.rungs(); ++rung) {
        values_.back().push_back(trials_.value(i, rung, at));
      }
      order_.push_back(i);
    }
    std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      const std::size_t last_a = last_rung(a), last_b = last_rung(b);
      return last_a != last_b ? last_a > last_b
                              : trials_.better({a, values_[a][last_a]}, {b, values_[b][last_b]});
    });
  }

  ReportTables tables() const {
    const SweepSpec& sweep = *experiment_.sweep;
    ReportTables tables{
        .title = experiment_.name + ": configurations by " + sweep.metric.key,
        .origin = "experiment " + experiment_.name + ", report by hepar " + version(),
        .notes = {},
        .parts = {},
        .sources = sources(),
        .conventions = conventions(),
        .numbers = lines(6, detail::quoted),
        .json = json()};
    tables.parts.push_back({"Configurations, best first", "configurations, best first",
                            lines(kDigits, [](const std::string& text) { return text; })});
    return tables;
  }

 private:
  /// The last rung with a value; the first where there is none.
  [[nodiscard]] std::size_t last_rung(std::size_t i) const {
    std::size_t last = 0;
    for (std::size_t rung = 0; rung < values_[i].size(); ++rung) {
      last = values_[i][rung].value ? rung : last;
    }
    return last;
  }

  [[nodiscard]] std::vector<std::string> axes() const {
    std::set<std::string> names;
    for (std::size_t i = 0; i < trials_.size(); ++i) {
      for (const auto& [axis, ignored] : trials_.axes(i)) {
        names.insert(axis);
      }
    }
    return {names.begin(), names.end()};
  }

  [[nodiscard]] std::vector<std::string> rung_names() const {
    std::vector<std::string> names;
    for (const std::int64_t rung : experiment_.sweep->asha.rungs) {
      names.push_back("after " + std::to_string(rung) + " steps");
    }
    return names.empty() ? std::vector<std::string>{experiment_.sweep->metric.key} : names;
  }

  template <class Text>
  [[nodiscard]] TextTable lines(int digits, Text&& text) const {
    const std::vector<std::string> axes = this->axes(), rungs = rung_names();
    TextTable table{{"rank"}};
    std::transform(axes.begin(), axes.end(), std::back_inserter(table[0]), text);
    std::transform(rungs.begin(), rungs.end(), std::back_inserter(table[0]), text);
    table[0].emplace_back("missing");
    for (std::size_t rank = 0; rank < order_.size(); ++rank) {
      const std::size_t i = order_[rank];
      std::vector<std::string> line{std::to_string(rank + 1)};
      for (const std::string& axis : axes) {
        const auto setting = trials_.axes(i).find(axis);
        line.push_back(setting == trials_.axes(i).end() ? "" : text(setting->second));
      }
      for (const SweepTrials::Value& value : values_[i]) {
        line.push_back(value.value ? detail::fixed(*value.value, digits) : "");
      }
      line.push_back(missing(i).empty() ? "" : text(missing(i)));
      table.push_back(std::move(line));
    }
    return table;
  }

  /// Why the first rung without a value has none; empty where it was stopped, or has them all.
  [[nodiscard]] std::string missing(std::size_t i) const {
    for (std::size_t rung = 0; rung < values_[i].size(); ++rung) {
      const auto& ids = trials_.trials(i, rung);
      const bool stopped = bracket_ && std::any_of(ids.begin(), ids.end(), [&](const auto& id) {
                             return bracket_->stopped().contains(id);
                           });
      if (!values_[i][rung].value) {
        return stopped ? "" : values_[i][rung].missing;
      }
    }
    return "";
  }

  [[nodiscard]] TextTable sources() const {
    TextTable table{{"rank", "trials of the metric"}};
    for (std::size_t rank = 0; rank < order_.size(); ++rank) {
      std::vector<std::string> ids;
      for (std::size_t rung = 0; rung <= last_rung(order_[rank]); ++rung) {
        const auto& more = trials_.trials(order_[rank], rung);
        ids.insert(ids.end(), more.begin(), more.end());
      }
      table.push_back({std::to_string(rank + 1), join(ids, " ")});
    }
    return table;
  }

  struct Cost {
    std::int64_t steps = 0;  ///< that were made
    std::int64_t whole = 0;  ///< if every configuration were trained to its end
    double core_hours = 0;   ///< of all that is done
  };

  [[nodiscard]] Cost cost() const {
    Cost cost;
    for (const Trial& trial : experiment_.trials) {
      cost.whole += trial.steps;
      const auto state = states_.find(trial.id);
      if (state != states_.end() && state->second == TrialState::kDone) {
        cost.steps += trial.steps;
        const auto outcome = store_.outcome(trial.id);
        cost.core_hours += outcome ? outcome->cost.core_hours() : 0;
      }
    }
    return cost;
  }

  [[nodiscard]] std::vector<std::string> conventions() const {
    const SweepSpec& sweep = *experiment_.sweep;
    const Cost cost = this->cost();
    std::vector<std::string> lines{
        sweep.metric.key + " of the stage " + sweep.metric.stage + ", " + sweep.metric.goal +
            " is best" + (sweep.repeats.empty() ? "" : "; mean over " + join(sweep.repeats, ", ")),
        "training steps made: " + std::to_string(cost.steps) + " of the " +
            std::to_string(cost.whole) + " that all configurations take to their ends; " +
            detail::fixed(cost.core_hours, 3) + " core-hours in all trials that are done"};
    if (sweep.samples > 0) {
      lines.push_back(std::to_string(sweep.samples) + " samples, seed " +
                      std::to_string(sweep.seed));
    }
    if (sweep.stops_early()) {
      lines.push_back("one in " + std::to_string(sweep.asha.eta) +
                      " goes on from rung to rung; a value is comparable with those after as many "
                      "steps only");
    }
    return lines;
  }

  [[nodiscard]] Json json() const {
    const Cost cost = this->cost();
    Json json{{"metric", experiment_.sweep->metric.key},
              {"goal", experiment_.sweep->metric.goal},
              {"steps_made", cost.steps},
              {"steps_of_all", cost.whole},
              {"core_hours", cost.core_hours},
              {"rungs", experiment_.sweep->asha.rungs},
              {"configurations", Json::array()}};
    for (const std::size_t i : order_) {
      Json values = Json::array();
      for (const SweepTrials::Value& value : values_[i]) {
        values.push_back(value.value ? Json(*value.value) : Json(nullptr));
      }
      json["configurations"].push_back(
          {{"axes", trials_.axes(i)}, {"values", values}, {"missing", missing(i)}});
    }
    return json;
  }

  const TrialStore& store_;
  Experiment experiment_;
  TrialStates states_;
  std::map<std::string, std::string> blocked_;
  SweepTrials trials_;
  std::optional<Bracket> bracket_ = experiment_.sweep->stops_early()
                                        ? std::optional<Bracket>(std::in_place, experiment_, store_)
                                        : std::nullopt;
  std::vector<std::vector<SweepTrials::Value>> values_;  ///< by configuration and rung
  std::vector<std::size_t> order_;                       ///< best first
};

}  // namespace

ReportTables ranking_tables(const TrialStore& store) { return Ranking(store).tables(); }

}  // namespace hepar
