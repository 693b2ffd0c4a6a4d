#include <algorithm>
#include <set>

#include "experiment/problems.h"
#include "experiment/source.h"
#include "experiment/stage_settings.h"
#include "experiment/substitution.h"
#include "experiment/sweep_source.h"
#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/experiment.h"

namespace hepar {
namespace {

using detail::ExperimentSource;
using detail::Problems;
using detail::Setting;
using detail::StageSource;

/// What a stage depends on, through everything it reads.
struct Dependence {
  std::set<std::string> axes;
  std::set<detail::StageReference> stages;  ///< that it reads itself
};

class Expansion {
 public:
  Expansion(const ExperimentSource& source, const std::vector<StageKind>& kinds, Problems& problems)
      : source_(source), kinds_(kinds), problems_(problems), substitution_(source) {}

  void run(Experiment& experiment) {
    for (const StageSource& stage : source_.stages) {
      visit(stage);
    }
    check_axes_are_used();
    check_rows(experiment);
    if (source_.sweep) {
      check_sweep(*source_.sweep);
    }
    problems_.throw_if_any();
    for (const StageSource* stage : order_) {
      expand(*stage, experiment);
    }
  }

 private:
  void add(const StageSource& stage, const std::string& key, const std::string& text) {
    const std::string path = "stages." + stage.name + (key.empty() ? "" : "." + key);
    problems_.add(source_.document.place(path) + ": " + text);
  }

  [[nodiscard]] const StageSource& stage(const std::string& name) const {
    return *std::find_if(source_.stages.begin(), source_.stages.end(),
                         [&](const StageSource& s) { return s.name == name; });
  }

  [[nodiscard]] const StageKind* kind(const std::string& command) const {
    const auto found = std::find_if(kinds_.begin(), kinds_.end(),
                                    [&](const StageKind& k) { return k.command == command; });
    return found == kinds_.end() ? nullptr : &*found;
  }

  /// Axes named `stage.key` and the key they set.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> key_axes(
      const StageSource& of) const {
    std::vector<std::pair<std::string, std::string>> found;
    for (const detail::AxisSource& axis : source_.axes) {
      if (axis.name.starts_with(of.name + ".")) {
        found.emplace_back(axis.name, axis.name.substr(of.name.size() + 1));
      }
    }
    return found;
  }

  /// What depends on an axis depends on those, too, that decide whether it exists.
  void depend(const std::string& axis, Dependence& on) const {
    on.axes.insert(axis);
    for (const detail::AxisCondition& condition : find_axis(source_.axes, axis)->when) {
      if (find_axis(source_.axes, condition.axis) != nullptr) {  // else it was reported
        depend(condition.axis, on);
      }
    }
  }

  /// Depth first: fills dependences_ and order_, finds circles.
  const Dependence& visit(const StageSource& of) {
    if (const auto known = dependences_.find(of.name); known != dependences_.end()) {
      return known->second;
    }
    if (!open_.insert(of.name).second) {
      add(of, "", "stage '" + of.name + "' reads its own output, directly or by way of others");
      return dependences_[of.name];
    }
    check_command(of);
    Dependence found;
    for (const detail::KeySource& entry : of.keys) {
      try {
        const detail::References references = substitution_.references(entry.value);
        for (const std::string& axis : references.axes) {
          require<ConfigError>(find_axis(source_.axes, axis)->when.empty(),
                               "${" + axis + "}: this axis does not exist everywhere (when)");
          depend(axis, found);
        }
        found.stages.insert(references.stages.begin(), references.stages.end());
      } catch (const ConfigError& e) {
        problems_.add(source_.document.place(entry.path) + ": " + e.what());
      }
    }
    for (const auto& [axis, ignored] : key_axes(of)) {
      depend(axis, found);
    }
    if (source_.sweep && source_.sweep->asha.stage == of.name) {
      found.axes.insert(kRungAxis);
    }
    for (const detail::StageReference& read : found.stages) {
      std::set<std::string> inner = visit(stage(read.stage)).axes;
      for (const std::string& axis : read.gathered) {
        check_gathered(of, read.stage, axis);
        inner.erase(axis);
      }
      found.axes.insert(inner.begin(), inner.end());
    }
    open_.erase(of.name);
    order_.push_back(&of);
    return dependences_[of.name] = found;
  }

  /// An axis is gathered whole: each of its settings under the same settings of the others.
  void check_gathered(const StageSource& of, const std::string& read, const std::string& axis) {
    const std::string reference = "${" + read + "[" + axis + "]}: ";
    if (!dependences_[read].axes.contains(axis)) {
      add(of, "",
          reference + "the stage '" + read + "' does not depend on the axis '" + axis + "'");
    }
    if (!find_axis(source_.axes, axis)->when.empty()) {
      add(of, "", reference + "this axis does not exist everywhere (when)");
    }
    if (detail::is_sampled(source_, axis)) {
      add(of, "", reference + "a sample has one setting of this axis; name it in sweep.repeats");
    }
  }

  void check_command(const StageSource& of) {
    if (kind(of.command) != nullptr || of.command.empty()) {
      return;
    }
    std::vector<std::string> known;
    for (const StageKind& k : kinds_) {
      known.push_back(k.command);
    }
    add(of, "command",
        "unknown command '" + of.command + "'" + detail::suggestion(of.command, known));
  }

  void check_axes_are_used() {
    for (const std::string& axis : names_of(source_.axes)) {
      const bool used = std::any_of(dependences_.begin(), dependences_.end(),
                                    [&](const auto& d) { return d.second.axes.contains(axis); });
      if (!used) {
        problems_.add(source_.document.place("axes." + axis) + ": no stage uses the axis '" + axis +
                      "'; write ${" + axis + "} in a stage, or name it stage.key");
      }
    }
  }

  void check_rows(const Experiment& experiment) {
    if (!experiment.table) {
      return;
    }
    const TableSpec& table = *experiment.table;
    for (const std::string& stage : {table.scores, table.noise, table.swapped, table.fit}) {
      if (dependences_.contains(stage) && !dependences_[stage].axes.contains(table.rows)) {
        problems_.add(source_.document.place("table.rows") + ": table.rows: the stage '" + stage +
                      "' does not depend on the axis '" + table.rows +
                      "': every row would be the same");
      }
    }
  }

  void check_sweep(const SweepSpec& sweep) {
    const auto problem = [&](const std::string& path, const std::string& text) {
      problems_.add(source_.document.place("sweep." + path) + ": sweep." + path + ": " + text);
    };
    const auto metric = dependences_.find(sweep.metric.stage);
    if (metric == dependences_.end()) {
      return;  // reported when the section was read
    }
    const StageKind* writes = kind(stage(metric->first).command);
    if (writes != nullptr && !writes->output.ends_with(".json") && writes->command != "train") {
      problem("metric.stage", "wanted a training or a stage that writes a JSON file, such as " +
                                  std::string("evaluate or score; '") + metric->first +
                                  "' is a stage of command " + writes->command);
    }
    if (sweep.stops_early() && !metric->second.axes.contains(kRungAxis)) {
      problem("metric.stage", "the stage '" + metric->first + "' does not read what '" +
                                  sweep.asha.stage + "' trains");
    }
    for (const std::string& axis : sweep.repeats) {
      if (!metric->second.axes.contains(axis)) {
        problem("repeats",
                "the stage '" + metric->first + "' does not depend on the axis '" + axis + "'");
      }
    }
  }

  void expand(const StageSource& of, Experiment& experiment) {
    for (const AxisValues& axes : detail::combinations(source_, dependences_[of.name].axes)) {
      add_trial(of, axes, experiment);
    }
  }

  /// The part of `axes` that a stage depends on.
  [[nodiscard]] AxisValues restricted(const AxisValues& axes, const std::string& stage_name) {
    AxisValues kept;
    for (const std::string& axis : dependences_[stage_name].axes) {
      if (const auto found = axes.find(axis); found != axes.end()) {
        kept.insert(*found);
      }
    }
    return kept;
  }

  /// The cells that a reference reads from a trial under `axes`.
  [[nodiscard]] std::vector<std::string> outputs(const detail::StageReference& reference,
                                                 AxisValues axes) {
    if (reference.gathered.empty()) {
      // A circle or an unknown name was reported before; expansion is then never reached.
      return {detail::input_token(ids_.at({reference.stage, restricted(axes, reference.stage)}))};
    }
    detail::StageReference rest = reference;
    rest.gathered.erase(rest.gathered.begin());
    const detail::AxisSource* axis = find_axis(source_.axes, reference.gathered.front());
    std::vector<std::string> found;
    for (const std::string& setting : axis->settings) {
      axes[axis->name] = setting;
      const std::vector<std::string> inner = outputs(rest, axes);
      found.insert(found.end(), inner.begin(), inner.end());
    }
    return found;
  }

  void add_trial(const StageSource& of, const AxisValues& axes, Experiment& experiment) {
    const auto upstream = [&](const detail::StageReference& read) { return outputs(read, axes); };
    std::vector<Setting> settings;
    for (const detail::KeySource& entry : of.keys) {
      settings.push_back({entry.key, substitution_.resolve(entry.value, axes, upstream),
                          source_.document.place(entry.path)});
    }
    for (const auto& [axis, key] : key_axes(of)) {
      if (axes.contains(axis)) {
        std::erase_if(settings, [&, path = key](const Setting& s) { return s.key == path; });
        settings.push_back({key, axes.at(axis), source_.document.place("axes." + axis)});
      }
    }
    const StageKind& runs = *kind(of.command);
    Trial trial{.stage = of.name, .command = of.command, .axes = axes};
    trial.output = runs.output;
    trial.results = runs.results;
    std::vector<std::string> problems;
    const bool at_rung = source_.sweep && source_.sweep->asha.stage == of.name;
    if (at_rung) {
      stop_at_rung(axes, settings);
    }
    const detail::Identity identity = detail::identity(runs, settings, problems);
    trial.id = to_hex(xxh64(identity.decides.dump()));
    trial.steps = identity.steps;
    if (at_rung) {
      continue_from_rung(of, axes, settings, trial);
    }
    for (const std::string& problem : problems) {
      problems_.add(problem);
    }
    for (const Setting& setting : settings) {
      trial.config[setting.key] = setting.value;
      for (const std::string& id : detail::tokens_of(setting.value)) {
        if (std::find(trial.inputs.begin(), trial.inputs.end(), id) == trial.inputs.end()) {
          trial.inputs.push_back(id);
        }
      }
    }
    experiment.cells.push_back({of.name, axes, trial.id});
    ids_[{of.name, axes}] = trial.id;
    if (known_.insert(trial.id).second) {
      experiment.trials.push_back(std::move(trial));
    }
  }

  /// A training at a rung but the last is stopped there. At the last it is the one without a sweep.
  void stop_at_rung(const AxisValues& axes, std::vector<Setting>& settings) {
    for (const Setting& setting : settings) {
      if (setting.key == kStopKey || setting.key == kContinueKey) {
        problems_.add(setting.place + ": " + setting.key + " is chosen by sweep.asha");
      }
    }
    const std::string& rung = axes.at(kRungAxis);
    if (rung != std::to_string(source_.sweep->asha.rungs.back())) {
      settings.push_back({kStopKey, rung, source_.document.place("sweep.asha")});
    }
  }

  /// What it goes on from does not decide its result, so that it is not in the trial's identity: a
  /// continued training ends with the bits of one that never stopped.
  void continue_from_rung(const StageSource& of, AxisValues axes, std::vector<Setting>& settings,
                          Trial& trial) {
    const std::vector<std::int64_t>& rungs = source_.sweep->asha.rungs;
    if (trial.steps != rungs.back()) {
      problems_.add(source_.document.place("sweep.asha.rungs") +
                    ": sweep.asha.rungs: wanted the last to be train.steps of the stage '" +
                    of.name + "', " + std::to_string(trial.steps) + ", found " +
                    std::to_string(rungs.back()));
    }
    const std::int64_t rung = std::stoll(axes.at(kRungAxis));
    trial.steps = rung;
    if (const auto at = std::find(rungs.begin(), rungs.end(), rung); at != rungs.begin()) {
      trial.first_step = *std::prev(at);
      trial.steps -= trial.first_step;
      axes[kRungAxis] = std::to_string(trial.first_step);
      settings.push_back({kContinueKey, detail::input_token(ids_.at({of.name, axes})),
                          source_.document.place("sweep.asha")});
    }
  }

  static constexpr const char* kStopKey = "train.stop_after";
  static constexpr const char* kContinueKey = "init.continue_from";

  const ExperimentSource& source_;
  const std::vector<StageKind>& kinds_;
  Problems& problems_;
  detail::Substitution substitution_;
  std::map<std::string, Dependence> dependences_;
  std::set<std::string> open_;
  std::vector<const StageSource*> order_;
  std::map<std::pair<std::string, AxisValues>, std::string> ids_;  ///< of cells
  std::set<std::string> known_;                                    ///< trials
};

}  // namespace

std::string to_string(const AxisValues& axes) {
  std::vector<std::string> parts;
  for (const auto& [axis, value] : axes) {
    parts.push_back(axis + "=" + value);
  }
  return join(parts, ", ");
}

const Trial& Experiment::trial(const std::string& id) const {
  const auto found =
      std::find_if(trials.begin(), trials.end(), [&](const Trial& t) { return t.id == id; });
  require(found != trials.end(), "experiment " + name + ": no trial " + id);
  return *found;
}

const Cell* Experiment::cell(const std::string& stage, const AxisValues& values) const {
  const auto found = std::find_if(cells.begin(), cells.end(), [&](const Cell& c) {
    return c.stage == stage && c.axes == values;
  });
  return found == cells.end() ? nullptr : &*found;
}

Experiment expand_experiment(YamlDocument document, const std::vector<std::string>& overrides,
                             const std::vector<StageKind>& kinds) {
  Problems problems;
  const ExperimentSource source = detail::read_source(std::move(document), overrides, problems);
  Experiment experiment;
  experiment.name = source.name;
  for (const detail::AxisSource& axis : source.axes) {
    experiment.axes[axis.name] = axis.settings;
  }
  experiment.sweep = source.sweep;
  experiment.stages = detail::names_of(source.stages);
  experiment.document = {{"file", source.document.value}, {"overrides", overrides}};
  experiment.table = detail::read_table(source, problems);
  Expansion(source, kinds, problems).run(experiment);
  problems.throw_if_any();
  return experiment;
}

Experiment expand_experiment(const std::filesystem::path& file,
                             const std::vector<std::string>& overrides,
                             const std::vector<StageKind>& kinds) {
  return expand_experiment(read_yaml_document(file), overrides, kinds);
}

}  // namespace hepar
