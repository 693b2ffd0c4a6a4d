#include "plan_run/assumptions.h"

#include <algorithm>

#include "plan_run/units.h"

namespace hepar::detail {
namespace {

using Lines = std::vector<std::string>;

bool any_scaled(const PlannedRun& run, const std::string& unit) {
  return std::any_of(run.estimates.begin(), run.estimates.end(), [&](const auto& entry) {
    const auto& changes = entry.second.scaled;
    return std::any_of(changes.begin(), changes.end(),
                       [&](const std::string& change) { return change.ends_with(unit); });
  });
}

std::string link_text(const Link& link) {
  return fixed(1e6 * link.latency_s, 1) + " us and " + bytes_text(link.bytes_per_s) + "/s, " +
         (link.assumed() ? "assumed" : "fitted to " + link.source);
}

/// Which links matter depends on how trainings are laid out.
void add_network(const PlannedRun& run, const EstimateOptions& options, Lines& lines) {
  const TrialPlace place = run.machine.place("train");
  const bool trains = std::any_of(run.experiment.trials.begin(), run.experiment.trials.end(),
                                  [](const Trial& trial) { return trial.steps > 0; });
  if (!trains || place.ranks < 2) {
    return;
  }
  const bool hosts = place.hosts > 1;
  lines.emplace_back("all-reduce of gradients after computing, nothing overlaps; links " +
                     std::string(hosts ? "between hosts: " : "within a host: ") +
                     link_text(hosts ? options.network.between : options.network.within));
  if (place.gpus > 0 && !(hosts ? options.network.between : options.network.within).assumed()) {
    lines.emplace_back("`hepar doctor` measured all-reduce from processor memory, not NCCL");
  }
}

void add_scaling(const PlannedRun& run, Lines& lines) {
  if (any_scaled(run, "steps")) {
    lines.emplace_back(
        "a training's start, validations and checkpoints cost the same for other "
        "numbers of steps");
  }
  if (any_scaled(run, "ranks")) {
    lines.emplace_back(
        "a rank computes as fast beside others as it was measured, with as many "
        "cores; what shares its cases (convert, prepare, predict, voi, classify, …) "
        "scales with the ranks");
  }
}

void add_device(const EstimateOptions& options, const PlannedRun& run, Lines& lines) {
  if (any_scaled(run, "GPU")) {
    lines.emplace_back("ASSUMED, not measured: a GPU computes " + fixed(options.device_speedup, 1) +
                       " times as fast as the processors of a measured rank (--device-speedup)");
  }
}

void add_machine(const PlannedRun& run, Lines& lines) {
  lines.emplace_back(fixed(kTrialOverheadS, 1) + " s a trial for the runner" +
                     (run.machine.site
                          ? ", " + fixed(kElementOverheadS, 0) +
                                " s to start an element; no time in the queue; `throttle` n lets "
                                "element i wait for i - n"
                          : ""));
  lines.emplace_back("trials that run side by side do not slow each other down");
}

void add_files(Lines& lines) {
  lines.emplace_back(
      "read: each input once, from files; trainings read more of theirs from the "
      "page cache");
}

void add_sweep(const PlannedRun& run, Lines& lines) {
  if (run.experiment.sweep && run.experiment.sweep->stops_early()) {
    lines.emplace_back(
        "ASHA: as many configurations go on as its rule says; the first ones stand "
        "for those that will");
  }
}

}  // namespace

Lines assumptions_of(const PlannedRun& run, const EstimateOptions& options) {
  Lines lines;
  add_device(options, run, lines);
  add_network(run, options, lines);
  add_scaling(run, lines);
  add_machine(run, lines);
  add_files(lines);
  add_sweep(run, lines);
  return lines;
}

}  // namespace hepar::detail
