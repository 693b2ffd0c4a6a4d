#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/core/config.h>
#include <hepar/core/error.h>
#include <hepar/pipeline/doctor.h>

#include <string>

namespace hepar {

/// `hepar doctor`: is this node, or this allocation, fit to work on?
struct DoctorConfig {
  std::string folder = ".";  ///< where experiments are to be kept
  double wait_s = 10;        ///< for a file that another rank wrote
  bool json = false;
  void declare(ConfigSchema& schema);
};

/// Measures everything; a few seconds. `facts.folder` stays empty with `dry_run`, which writes
/// nothing; else what is written below the folder is removed again. The same on every rank but for
/// `clocks` and `folder`, which are rank 0's. Collective.
DoctorFacts examine(const DoctorConfig& config, bool dry_run, Communicator& world);

/// Rank 0 prints the findings. Returns kDone when none is a problem, else the first one's code, on
/// every rank. Collective.
ExitCode run_doctor(const DoctorConfig& config, bool dry_run, Communicator& world);

}  // namespace hepar
