#include "experiment/sweep_source.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "experiment/stage_settings.h"
#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/random.h"

namespace hepar::detail {
namespace {

constexpr std::uint64_t kSlotMask = 0xFFFFFF;  // what a stream's address has room for

void declare(SweepSpec& spec, ConfigSchema& schema) {
  schema.add("metric.stage", spec.metric.stage, "Stage whose output holds the metric");
  schema.add("metric.key", spec.metric.key, "Where in it: summary.dsc.mean");
  schema.add_choice("metric.goal", spec.metric.goal, {"max", "min"}, "Which value is best");
  schema.add("repeats", spec.repeats, "Axes whose settings a configuration is the mean over");
  schema.add("samples", spec.samples, "Configurations drawn; 0: the grid", Range{.low = 0});
  schema.add("seed", spec.seed, "Seed of the draws", Range{.low = 0});
  schema.add("asha.stage", spec.asha.stage, "Training that is stopped early");
  schema.add("asha.rungs", spec.asha.rungs, "Steps after which it is decided who goes on",
             Range{.low = 1});
  schema.add("asha.eta", spec.asha.eta, "One in eta goes on", Range{.low = 2});
}

class SweepReader {
 public:
  SweepReader(const ExperimentSource& source, Problems& problems)
      : source_(source), problems_(problems) {}

  SweepSpec read() {
    ConfigSchema schema;
    declare(spec_, schema);
    for (const KeySource& entry : source_.sweep_keys) {
      const std::string problem =
          apply({entry.key, entry.value, source_.document.place(entry.path)}, "a sweep", schema);
      if (!problem.empty()) {
        problems_.add(problem);
      }
    }
    check_stage("metric.stage", spec_.metric.stage);
    if (spec_.metric.key.empty()) {
      add("metric", "metric.key: wanted the place of a number, such as summary.dsc.mean");
    }
    for (const std::string& axis : spec_.repeats) {
      if (find_axis(source_.axes, axis) == nullptr) {
        add("repeats",
            "repeats: no axis '" + axis + "'" + suggestion(axis, names_of(source_.axes)));
      }
    }
    const auto& keys = source_.sweep_keys;
    if (std::any_of(keys.begin(), keys.end(),
                    [](const KeySource& entry) { return entry.key.starts_with("asha."); })) {
      check_asha();
    }
    return spec_;
  }

 private:
  void add(const std::string& path, const std::string& text) {
    problems_.add(source_.document.place("sweep." + path) + ": sweep." + text);
  }

  void check_stage(const std::string& key, const std::string& name) {
    const std::vector<std::string> known = names_of(source_.stages);
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      add(key, key + ": there is no stage '" + name + "'" + suggestion(name, known));
    }
  }

  void check_asha() {
    check_stage("asha.stage", spec_.asha.stage);
    const std::vector<std::int64_t>& rungs = spec_.asha.rungs;
    const bool ascending =
        std::adjacent_find(rungs.begin(), rungs.end(), std::greater_equal<>()) == rungs.end();
    if (rungs.size() < 2 || !ascending) {
      add("asha.rungs",
          "asha.rungs: wanted two or more ascending numbers of steps, the last of "
          "them train.steps, such as [30, 90, 270]");
    }
    if (find_axis(source_.axes, kRungAxis) != nullptr || source_.values.contains(kRungAxis)) {
      add("asha", std::string("asha: '") + kRungAxis + "' is the axis of its rungs; rename yours");
    }
    if (source_.document.value.contains("table")) {
      add("asha",
          "asha: most cells of a table are never made; leave out the section 'table': the "
          "report ranks the configurations");
    }
  }

  const ExperimentSource& source_;
  Problems& problems_;
  SweepSpec spec_;
};

RandomStream draws(const SweepSpec& sweep, const std::string& axis, std::size_t sample) {
  return RandomStream({.seed = sweep.seed,
                       .purpose = Purpose::kSweep,
                       .step = sample,
                       .slot = static_cast<std::uint32_t>(xxh64(axis) & kSlotMask)});
}

/// Six digits: what is run is what is written.
std::string drawn(const AxisRange& range, RandomStream random) {
  const double share = random.uniform();
  const double value = range.log ? range.low * std::pow(range.high / range.low, share)
                                 : range.low + share * (range.high - range.low);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

bool holds(const AxisCondition& condition, const AxisValues& axes) {
  const auto found = axes.find(condition.axis);
  return found != axes.end() && std::find(condition.settings.begin(), condition.settings.end(),
                                          found->second) != condition.settings.end();
}

/// The settings of an axis in one sample (grid: in the only one).
std::vector<std::string> settings_in(const ExperimentSource& source, const AxisSource& axis,
                                     std::size_t sample) {
  if (!is_sampled(source, axis.name)) {
    return axis.settings;
  }
  const auto choices = static_cast<std::int64_t>(axis.settings.size());
  const std::size_t chosen =
      axis.range
          ? sample
          : static_cast<std::size_t>(draws(*source.sweep, axis.name, sample).integer(choices));
  return {axis.settings[chosen]};
}

/// One sample's combinations of `axes`.
std::vector<AxisValues> combinations_in(const ExperimentSource& source,
                                        const std::set<std::string>& axes, std::size_t sample) {
  std::vector<AxisValues> found{{}};
  for (const AxisSource& axis : source.axes) {
    if (!axes.contains(axis.name)) {
      continue;
    }
    std::vector<AxisValues> more;
    for (const AxisValues& values : found) {
      const bool exists = std::all_of(axis.when.begin(), axis.when.end(),
                                      [&](const AxisCondition& c) { return holds(c, values); });
      if (!exists) {
        more.push_back(values);
        continue;
      }
      for (const std::string& setting : settings_in(source, axis, sample)) {
        more.push_back(values);
        more.back()[axis.name] = setting;
      }
    }
    found = std::move(more);
  }
  return found;
}

}  // namespace

std::optional<SweepSpec> read_sweep(const ExperimentSource& source, Problems& problems) {
  const Json& root = source.document.value;
  if (!root.is_object() || !root.contains("sweep")) {
    return std::nullopt;
  }
  return SweepReader(source, problems).read();
}

bool is_sampled(const ExperimentSource& source, const std::string& axis) {
  return source.sweep && source.sweep->samples > 0 &&
         std::find(source.sweep->repeats.begin(), source.sweep->repeats.end(), axis) ==
             source.sweep->repeats.end();
}

void draw_ranges(ExperimentSource& source, Problems& problems) {
  for (AxisSource& axis : source.axes) {
    if (axis.range && !is_sampled(source, axis.name)) {
      problems.add(source.document.place("axes." + axis.name) + ": axis '" + axis.name +
                   "': a range is drawn from: wanted sweep.samples above 0, and an axis that is "
                   "not of sweep.repeats");
    } else if (axis.range) {
      axis.settings.clear();
      for (std::int64_t i = 0; i < source.sweep->samples; ++i) {
        axis.settings.push_back(
            drawn(*axis.range, draws(*source.sweep, axis.name, static_cast<std::size_t>(i))));
      }
    }
  }
}

std::vector<AxisValues> combinations(const ExperimentSource& source,
                                     const std::set<std::string>& axes) {
  const std::int64_t samples = source.sweep ? std::max<std::int64_t>(1, source.sweep->samples) : 1;
  std::vector<AxisValues> found;
  std::set<AxisValues> known;
  for (std::int64_t i = 0; i < samples; ++i) {
    for (AxisValues& values : combinations_in(source, axes, static_cast<std::size_t>(i))) {
      if (known.insert(values).second) {
        found.push_back(std::move(values));
      }
    }
  }
  if (!axes.contains(kRungAxis)) {
    return found;
  }
  std::vector<AxisValues> at_rungs;
  for (const AxisValues& values : found) {
    for (const std::int64_t rung : source.sweep->asha.rungs) {
      at_rungs.push_back(values);
      at_rungs.back()[kRungAxis] = std::to_string(rung);
    }
  }
  return at_rungs;
}

}  // namespace hepar::detail
