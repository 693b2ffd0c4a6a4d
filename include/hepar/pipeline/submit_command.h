#pragma once
#include <hepar/core/config.h>
#include <hepar/pipeline/experiment_choice.h>

#include <string>

namespace hepar {

/// `hepar submit EXP.yaml`.
struct SubmitConfig : ExperimentChoice {
  std::string site;    ///< empty: slurm/site.yaml of hepar's own folder
  std::string body;    ///< empty: slurm/trials.sbatch beside it
  bool report = true;  ///< a last job writes the tables
  void declare(ConfigSchema& schema);
};

/// Plans the trials as `hepar run` does and submits what is neither done nor queued: job arrays
/// with dependencies, recorded in EXP/slurm/jobs.json. `dry_run` prints scripts and commands, and
/// writes and submits nothing. Throws ConfigError, and Error when Slurm refuses.
void run_submit_command(const SubmitConfig& config, bool dry_run);

}  // namespace hepar
