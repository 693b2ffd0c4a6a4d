#pragma once
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/packing.h>

#include <map>
#include <string>
#include <vector>

namespace hepar::detail {

/// Trials as jobs to pack, each after those of the trials before it that it reads.
class TrialJobs {
 public:
  void add(const Trial& trial, PackedJob job);
  [[nodiscard]] const std::vector<PackedJob>& jobs() const { return jobs_; }

 private:
  std::map<std::string, std::size_t> number_;  ///< by trial id
  std::vector<PackedJob> jobs_;
};

}  // namespace hepar::detail
