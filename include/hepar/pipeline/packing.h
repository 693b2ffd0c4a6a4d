#pragma once
#include <cstddef>
#include <vector>

namespace hepar {

/// Work that takes some places for some time, after other work.
struct PackedJob {
  double seconds = 0;
  int places = 1;
  std::vector<std::size_t> after = {};  ///< numbers of earlier jobs
};

struct Packing {
  double makespan_s = 0;
  double busy_s = 0;           ///< of places: the jobs' seconds × places
  double longest_chain_s = 0;  ///< no number of places ends sooner
  std::vector<double> starts = {};
};

/// List scheduling as `hepar run` does it (Schedule): whenever places are free, the first job that
/// fits, those with the longest way to the end first. Throws ConfigError when a job needs more than
/// `places`.
Packing pack(const std::vector<PackedJob>& jobs, int places);

}  // namespace hepar
