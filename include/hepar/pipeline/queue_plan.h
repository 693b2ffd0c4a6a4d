#pragma once
#include <hepar/pipeline/estimate.h>
#include <hepar/pipeline/packing.h>
#include <hepar/pipeline/slurm.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// Seconds of a Slurm time limit: "90" (minutes), "30:00", "2:00:00", "1-12", "1-12:30",
/// "1-12:30:00"; none for "UNLIMITED" and "INFINITE". Throws ConfigError.
std::optional<double> slurm_seconds(const std::string& limit);

/// What `hepar submit` would put into the queue, and how long the elements take.
struct QueuePlan {
  std::size_t arrays = 0, elements = 0;
  std::size_t requeues = 0;              ///< of all elements, by their time limits
  std::vector<std::string> too_long{};   ///< trials that cannot stop and do not end in time
  std::vector<std::string> too_often{};  ///< arrays whose elements need more requeues than allowed
  std::vector<PackedJob> jobs{};         ///< the elements, in order
};

/// What a trial takes beside its own work.
struct Overheads {
  double trial_s = 0;    ///< of the runner
  double element_s = 0;  ///< start of the program
};

/// Job arrays as plan_arrays() makes them. Elements wait for whole arrays, or for their own number;
/// of `throttle` n, element i waits for element i - n. Trials without an estimate take no time.
QueuePlan plan_queue(const Experiment& experiment, const Site& site,
                     const std::map<std::string, Estimate>& estimates, const Overheads& overheads);

}  // namespace hepar
