#pragma once
#include <string>
#include <vector>

namespace hepar {

/// `hepar-prep phantom`: writes a synthetic cohort (PROTOCOL §6) in the layout of a real data set
/// (--out), or measures its promises (--audit), or both. Call on one process only. Throws
/// ConfigError for a wrong command line, DataError when the output cannot be written, Error when
/// the audit finds a bound violated.
void run_phantom_command(const std::vector<std::string>& arguments);

}  // namespace hepar
