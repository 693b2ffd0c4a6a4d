#pragma once
#include <hepar/core/config.h>

#include <string>
#include <vector>

namespace hepar {

/// `hepar submit EXP.yaml`.
struct SubmitConfig {
  std::string experiment;  ///< the file, or the folder of an experiment that was planned
  std::string out;         ///< folder of the experiment; empty: runs/<its name>
  std::string site;        ///< empty: slurm/site.yaml of hepar's own folder
  std::string body;        ///< empty: slurm/trials.sbatch beside it
  bool retry_failed = false;
  bool accept_changes = false;
  bool report = true;                  ///< a last job writes the tables
  std::vector<std::string> overrides;  ///< of the file: --set axes.…, values.…, stages.…
  void declare(ConfigSchema& schema);
};

/// Plans the trials as `hepar run` does and submits what is neither done nor queued: job arrays
/// with dependencies, recorded in EXP/slurm/jobs.json. `dry_run` prints scripts and commands, and
/// writes and submits nothing. Throws ConfigError, and Error when Slurm refuses.
void run_submit_command(const SubmitConfig& config, bool dry_run);

}  // namespace hepar
