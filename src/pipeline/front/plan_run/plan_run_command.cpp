#include "hepar/pipeline/plan_run_command.h"

#include <utility>

#include "experiment/expand_by_engine.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "plan_run/plan_output.h"

namespace hepar {
namespace {

std::vector<std::string> measured_folders(const PlanRunConfig& config,
                                          const Experiment& experiment) {
  if (!config.measured.empty()) {
    return config.measured;
  }
  const fs::path own = config.folder(experiment);
  return fs::exists(own / "trials.json") ? std::vector{own.string()} : std::vector<std::string>();
}

std::vector<MeasuredTrial> measured_trials(const PlanRunConfig& config,
                                           const Experiment& experiment) {
  const std::vector<std::string> folders = measured_folders(config, experiment);
  std::vector<MeasuredTrial> all;
  for (const std::string& folder : folders) {
    for (MeasuredTrial& trial : read_measured(folder)) {
      all.push_back(std::move(trial));
    }
  }
  require<ConfigError>(
      !all.empty(),
      "plan-run: nothing was measured" +
          (folders.empty() ? ": " + config.folder(experiment).string() + " holds no experiment"
                           : ": no trial is done in " + join(folders, ", ")) +
          "; run some of it with `hepar run`, or name folders of experiments like it with "
          "--measured DIR,DIR");
  return all;
}

detail::Machine machine(const PlanRunConfig& config) {
  return detail::machine_of({.nodes = static_cast<int>(config.nodes),
                             .ranks_per_node = static_cast<int>(config.ranks),
                             .gpus_per_node = static_cast<int>(config.gpus),
                             .ranks_per_trial = static_cast<int>(config.ranks_per_trial),
                             .site = config.site});
}

/// A measured network is that of the measured runs too, unless GPUs take their place.
EstimateOptions options(const PlanRunConfig& config, bool gpus) {
  require<ConfigError>(config.device_speedup == 0 || gpus,
                       "plan-run: --device-speedup is of GPUs: give --gpus, or a --site with "
                       "gpus_per_node");
  const NetworkModel network = read_network(config.network, assumed_network(gpus));
  return {.seen_on = gpus ? assumed_network(false) : network,
          .network = network,
          .device_speedup = config.device_speedup};
}

}  // namespace

void PlanRunConfig::declare(ConfigSchema& schema) {
  declare_place(schema);
  const auto count = [&](const char* name, std::int64_t& field, double low, const char* help) {
    schema.add(name, field, help, Range{.low = low, .high = 1e6}, Effect::kNone);
  };
  count("nodes", nodes, 1, "Nodes");
  count("ranks", ranks, 0,
        "Ranks of a node; 0: one a GPU, else what the site's jobs ask for, or 1");
  count("gpus", gpus, 0, "GPUs of a node; 0: none, or what the site's jobs ask for");
  count("ranks_per_trial", ranks_per_trial, 0, "As of `hepar run`: ranks of one trial; 0: all");
  schema.add(
      "measured", measured,
      "Folders of experiments that were run: what costs rest on; empty: the experiment's own", {},
      Effect::kNone);
  schema.add("network", network,
             "Files of `hepar doctor --json`, on one host, on several; empty: links are assumed",
             {}, Effect::kNone);
  schema.add("site", site, "Site file of `hepar submit`; empty: one allocation and `hepar run`", {},
             Effect::kNone);
  schema.add("device_speedup", device_speedup,
             "Assumption: how many times as fast a GPU computes as a measured rank; 0: none",
             Range{.low = 0}, Effect::kNone);
  schema.add("json", json, "One JSON object", {}, Effect::kNone);
}

void run_plan_run_command(const PlanRunConfig& config, bool /*dry_run*/) {
  const detail::Machine nodes = machine(config);
  const EstimateOptions assumed = options(config, nodes.gpus_per_node > 0);
  const Experiment experiment = config.read("plan-run", [&] {
    return detail::expand_by_engine("plan-run", config.experiment, config.overrides);
  });
  const bool early = experiment.sweep && experiment.sweep->stops_early();
  require<ConfigError>(!nodes.site || !early,
                       "plan-run: " + config.experiment +
                           " stops trials early (sweep.asha): `hepar submit` refuses it; leave "
                           "out --site");
  const std::vector<MeasuredTrial> measured = measured_trials(config, experiment);
  const detail::PlannedRun run = detail::planned_run(
      {.experiment = experiment, .measured = measured, .machine = nodes, .options = assumed});
  log::print(config.json ? detail::plan_json(run).dump(2) : detail::plan_text(run));
}

}  // namespace hepar
