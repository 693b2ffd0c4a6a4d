#pragma once
#include <map>
#include <string>
#include <vector>

namespace hepar {

/// What a process sees of CUDA and NCCL.
struct GpuReport {
  /// "CUDA" and "NCCL" as compiled, "CUDA loaded", "CUDA driver" and "NCCL loaded" as found; only
  /// the first two, and empty, in a build without them.
  std::map<std::string, std::string> versions;
  std::vector<std::string> devices;  ///< names, by device number
};

/// Never throws for want of a GPU or a driver: there are then no devices.
GpuReport gpu_report();

}  // namespace hepar
