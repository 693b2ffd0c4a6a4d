#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/pipeline/trial_store.h>

#include <chrono>
#include <string>
#include <vector>

namespace hepar::detail {

/// The most memory this process has held at once; 0 where the kernel does not say.
double peak_memory_mib();

/// Numbers of the processors this process may use.
std::vector<int> my_processors();

/// Measures what a group of ranks uses from construction to finish().
class Usage {
 public:
  Usage();
  /// Collective over the group that works.
  [[nodiscard]] TrialCost finish(Communicator& group) const;
  [[nodiscard]] const std::string& started() const { return started_; }  ///< UTC, ISO 8601

 private:
  std::chrono::steady_clock::time_point start_;
  std::string started_;
  double cpu_s_;
};

/// Gives each of the groups on a host its own processors, when the launcher bound nobody, so that
/// "all processors" means a group's share. Collective over `world`.
void share_processors(Communicator& world, int ranks_per_group);

}  // namespace hepar::detail
