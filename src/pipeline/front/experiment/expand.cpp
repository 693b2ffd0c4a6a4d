#include <algorithm>
#include <set>

#include "experiment/problems.h"
#include "experiment/source.h"
#include "experiment/stage_settings.h"
#include "experiment/substitution.h"
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
    for (const auto& [axis, ignored] : source_.axes) {
      if (axis.starts_with(of.name + ".")) {
        found.emplace_back(axis, axis.substr(of.name.size() + 1));
      }
    }
    return found;
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
        found.axes.insert(references.axes.begin(), references.axes.end());
        found.stages.insert(references.stages.begin(), references.stages.end());
      } catch (const ConfigError& e) {
        problems_.add(source_.document.place(entry.path) + ": " + e.what());
      }
    }
    for (const auto& [axis, ignored] : key_axes(of)) {
      found.axes.insert(axis);
    }
    for (const detail::StageReference& read : found.stages) {
      std::set<std::string> inner = visit(stage(read.stage)).axes;
      for (const std::string& axis : read.gathered) {
        if (inner.erase(axis) == 0) {
          add(of, "",
              "${" + read.stage + "[" + axis + "]}: the stage '" + read.stage +
                  "' does not depend on the axis '" + axis + "'");
        }
      }
      found.axes.insert(inner.begin(), inner.end());
    }
    open_.erase(of.name);
    order_.push_back(&of);
    return dependences_[of.name] = found;
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
    for (const auto& [axis, ignored] : source_.axes) {
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

  void expand(const StageSource& of, Experiment& experiment) {
    std::vector<AxisValues> combinations{{}};
    for (const auto& [axis, settings] : source_.axes) {
      if (!dependences_[of.name].axes.contains(axis)) {
        continue;
      }
      std::vector<AxisValues> more;
      for (const AxisValues& combination : combinations) {
        for (const std::string& setting : settings) {
          AxisValues next = combination;
          next[axis] = setting;
          more.push_back(std::move(next));
        }
      }
      combinations = std::move(more);
    }
    for (const AxisValues& axes : combinations) {
      add_trial(of, axes, experiment);
    }
  }

  /// The part of `axes` that a stage depends on.
  [[nodiscard]] AxisValues restricted(const AxisValues& axes, const std::string& stage_name) {
    AxisValues kept;
    for (const std::string& axis : dependences_[stage_name].axes) {
      kept[axis] = axes.at(axis);
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
    const auto axis = std::find_if(source_.axes.begin(), source_.axes.end(), [&](const auto& a) {
      return a.first == reference.gathered.front();
    });
    std::vector<std::string> found;
    for (const std::string& setting : axis->second) {
      axes[axis->first] = setting;
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
      std::erase_if(settings, [&, path = key](const Setting& s) { return s.key == path; });
      settings.push_back({key, axes.at(axis), source_.document.place("axes." + axis)});
    }
    const StageKind& runs = *kind(of.command);
    Trial trial{.stage = of.name, .command = of.command, .axes = axes};
    trial.output = runs.output;
    trial.results = runs.results;
    std::vector<std::string> problems;
    const detail::Identity identity = detail::identity(runs, settings, problems);
    trial.id = to_hex(xxh64(identity.decides.dump()));
    trial.steps = identity.steps;
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
  experiment.axes = {source.axes.begin(), source.axes.end()};
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
