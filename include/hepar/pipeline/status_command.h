#pragma once
#include <hepar/core/config.h>

#include <filesystem>
#include <string>

namespace hepar {

/// `hepar status EXP`: one table, from trials.json and the state folders.
struct StatusConfig {
  std::string experiment;  ///< folder that `hepar run` wrote
  bool json = false;
  void declare(ConfigSchema& schema);
};

void run_status_command(const StatusConfig& config, bool dry_run);

/// The table: a line a stage with its trials by state, what they cost and what is expected; what
/// runs, what failed and why, what is blocked. Throws ConfigError when there is no experiment.
std::string status_text(const std::filesystem::path& experiment);

}  // namespace hepar
