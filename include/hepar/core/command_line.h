#pragma once
#include <hepar/core/config.h>
#include <string>
#include <vector>

namespace hepar {

/// What a command is called and what it is for, in one line.
struct CommandName {
  std::string program;  ///< "hepar"
  std::string command;  ///< "train"
  std::string summary;
};

enum class CommandAction {
  kRun,
  kDryRun,  ///< --dry-run: check everything, print what would be done, write nothing
  kHelp,    ///< --help was printed; nothing left to do
};

/// Fills `schema` from `--config FILE` (first), then `--set a.b=v` (in order), then one flag for
/// each key without a dot (`exclude_bad` is `--exclude-bad`; a boolean flag needs no value).
/// `--help` prints usage, flags and all keys, from the same declaration. An unknown flag or key, a
/// missing value or a value out of range throws ConfigError with the nearest known name.
CommandAction parse_command(const CommandName& name, const std::vector<std::string>& arguments,
                            ConfigSchema& schema);

}  // namespace hepar
