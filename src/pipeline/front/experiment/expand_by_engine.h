#pragma once
#include <hepar/pipeline/experiment.h>

#include <filesystem>
#include <string>
#include <vector>

namespace hepar::detail {

/// The folder this program lies in.
std::filesystem::path own_folder();

/// Expands an experiment file by `hepar-engine run --dry-run --json`: the engine knows what a
/// stage's keys mean. Throws Error in the name of `command`, with the engine's exit code for usage.
Experiment expand_by_engine(const std::string& command, const std::string& file,
                            const std::vector<std::string>& overrides);

}  // namespace hepar::detail
