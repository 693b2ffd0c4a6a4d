#pragma once
#include <hepar/core/config.h>
#include <hepar/pipeline/experiment.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace hepar {

/// Which experiment, and where: the keys that `hepar run`, `submit` and `plan-run` have in common.
struct ExperimentChoice {
  std::string experiment;  ///< the file, or the folder of an experiment that was planned
  std::string out;         ///< folder of the experiment; empty: runs/<its name>
  bool retry_failed = false;
  bool accept_changes = false;
  std::vector<std::string> overrides;  ///< of the file: --set axes.…, values.…, stages.…

  void declare(ConfigSchema& schema);
  /// `experiment` and `out` alone: for commands that change nothing.
  void declare_place(ConfigSchema& schema);
  /// `experiment` is the folder of one that was planned: its file is not asked again.
  [[nodiscard]] bool planned_already() const;
  /// What was planned, else what `expand` makes of the file. Throws ConfigError, in the name of
  /// `command`, when no experiment is named, or when overrides or `out` are given with a folder.
  [[nodiscard]] Experiment read(const std::string& command,
                                const std::function<Experiment()>& expand) const;
  [[nodiscard]] std::filesystem::path folder(const Experiment& read) const;
};

/// What follows `hepar run` and the like: the file may come without a flag, and each `--set`
/// is an override of the experiment, appended to `overrides`. Returns the rest, for parse_command.
std::vector<std::string> take_overrides(const std::vector<std::string>& arguments,
                                        std::vector<std::string>& overrides);

}  // namespace hepar
