#pragma once
#include <hepar/pipeline/experiment.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace hepar::detail {

/// One key of a stage with its value, references resolved; inputs are written "@{id}".
struct Setting {
  std::string key;
  Json value;         ///< text, or a list of texts
  std::string place;  ///< file and line, for messages
};

/// Texts that begin an upstream trial's output inside a value.
std::string input_token(const std::string& id);
/// The ids of all tokens of a value, in order.
std::vector<std::string> tokens_of(const Json& value);
/// `value` with every token replaced by what `path(id)` says.
Json replace_tokens(const Json& value, const std::function<std::string(const std::string&)>& path);

/// Gives a schema one setting. Returns what is wrong with it; empty when all is well.
std::string apply(const Setting& setting, const std::string& command, ConfigSchema& schema);

/// What decides a trial's results: the result-affecting keys that are not at their default, where
/// each path comes from (an upstream trial, or a stamp of the data outside), and the command.
/// `problems` receives inputs that do not exist.
struct Identity {
  Json decides;            ///< what the id is the hash of
  std::int64_t steps = 0;  ///< train.steps, given or by default; 0 for commands without
};
Identity identity(const StageKind& kind, const std::vector<Setting>& settings,
                  std::vector<std::string>& problems);

}  // namespace hepar::detail
