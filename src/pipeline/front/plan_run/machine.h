#pragma once
#include <hepar/pipeline/estimate.h>
#include <hepar/pipeline/slurm.h>

#include <optional>
#include <string>

namespace hepar::detail {

/// Nodes, and how trials are laid out on them: as `hepar run` does, or as a site's jobs ask.
struct Machine {
  int nodes = 1;
  int ranks_per_node = 1;
  int gpus_per_node = 0;
  int ranks_per_trial = 1;
  std::optional<Site> site = {};

  [[nodiscard]] int places() const { return nodes * ranks_per_node; }
  [[nodiscard]] TrialPlace place(const std::string& command) const;
};

/// What was asked for; zeros choose.
struct MachineRequest {
  int nodes = 1, ranks_per_node = 0, gpus_per_node = 0, ranks_per_trial = 0;
  std::string site = {};
};

/// Throws ConfigError when ranks have no GPU of their own, when they do not divide into groups, or
/// when a site asks for more GPUs of a node than there are.
Machine machine_of(const MachineRequest& request);

/// Hosts that a group of consecutive ranks has at most.
int hosts_spanned(int ranks, const Machine& machine);

}  // namespace hepar::detail
