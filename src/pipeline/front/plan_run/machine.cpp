#include "plan_run/machine.h"

#include <algorithm>
#include <functional>

#include "hepar/core/error.h"

namespace hepar::detail {
namespace {

/// The largest of a number over all that a site's jobs ask for.
std::int64_t largest(const Site& site,
                     const std::function<std::int64_t(const JobResources&)>& number) {
  std::int64_t most = number(site.common);
  for (const auto& [ignored, resources] : site.commands) {
    most = std::max(most, number(resources));
  }
  return most;
}

std::int64_t ranks_on_a_node(const JobResources& resources) {
  return (resources.ranks + resources.nodes - 1) / resources.nodes;
}

void read_site_of(const MachineRequest& request, Machine& machine) {
  require<ConfigError>(request.ranks_per_trial == 0,
                       "plan-run: --ranks-per-trial is of `hepar run`; with --site its keys "
                       "`ranks` say how many a trial has");
  machine.site = read_site(request.site);
  const auto gpus = static_cast<int>(
      largest(*machine.site, [](const JobResources& job) { return job.gpus_per_node; }));
  require<ConfigError>(request.gpus_per_node == 0 || gpus <= request.gpus_per_node,
                       request.site + ": gpus_per_node: wanted at most the --gpus of a node, " +
                           std::to_string(request.gpus_per_node) + ", found " +
                           std::to_string(gpus));
  machine.gpus_per_node = std::max(request.gpus_per_node, gpus);
}

int ranks_by_default(const Machine& machine) {
  if (machine.gpus_per_node > 0) {
    return machine.gpus_per_node;
  }
  return machine.site ? static_cast<int>(largest(*machine.site, ranks_on_a_node)) : 1;
}

}  // namespace

TrialPlace Machine::place(const std::string& command) const {
  if (site) {
    const JobResources& job = site->of(command);
    return {.ranks = static_cast<int>(job.ranks),
            .hosts = static_cast<int>(job.nodes),
            .gpus = static_cast<int>(job.nodes * job.gpus_per_node)};
  }
  return {.ranks = ranks_per_trial,
          .hosts = hosts_spanned(ranks_per_trial, *this),
          .gpus = gpus_per_node > 0 ? ranks_per_trial : 0};
}

Machine machine_of(const MachineRequest& request) {
  Machine machine{.nodes = request.nodes, .gpus_per_node = request.gpus_per_node};
  if (!request.site.empty()) {
    read_site_of(request, machine);
  }
  machine.ranks_per_node =
      request.ranks_per_node > 0 ? request.ranks_per_node : ranks_by_default(machine);
  require<ConfigError>(
      machine.gpus_per_node == 0 || machine.site || machine.ranks_per_node <= machine.gpus_per_node,
      "plan-run: wanted a GPU for each rank of a node, found " +
          std::to_string(machine.gpus_per_node) + " for " + std::to_string(machine.ranks_per_node) +
          ": give --ranks no more");
  machine.ranks_per_trial =
      request.ranks_per_trial > 0 ? request.ranks_per_trial : machine.places();
  require<ConfigError>(machine.places() % machine.ranks_per_trial == 0,
                       "plan-run: " + std::to_string(machine.places()) +
                           " ranks do not divide into groups of " +
                           std::to_string(machine.ranks_per_trial) + " (--ranks-per-trial)");
  return machine;
}

int hosts_spanned(int ranks, const Machine& machine) {
  int most = 1;
  for (int first = 0; first + ranks <= machine.places(); first += ranks) {
    const int last = first + ranks - 1;
    most = std::max(most, last / machine.ranks_per_node - first / machine.ranks_per_node + 1);
  }
  return most;
}

}  // namespace hepar::detail
