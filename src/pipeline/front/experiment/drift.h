#pragma once
#include <hepar/pipeline/experiment.h>

#include <string>
#include <vector>

namespace hepar::detail {

/// Stages that under the same settings were another trial before, one line each with the keys that
/// changed. Trials that differ only because what they read does are not listed.
std::vector<std::string> drift(const Experiment& before, const Experiment& now);

/// A few of the lines, and how many more there are.
std::string first_lines(const std::vector<std::string>& lines);

}  // namespace hepar::detail
