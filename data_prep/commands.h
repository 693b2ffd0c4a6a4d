#pragma once
#include <string>
#include <vector>

#include "hepar/comm/communicator.h"

namespace hepar {

/// What follows "hepar-prep": a command's name and its arguments. `verify SET` and `inspect FILE`
/// take their one path without a flag. Returns when the command is done; throws its errors.
void run_prep(const std::vector<std::string>& arguments, Communicator& ranks);

}  // namespace hepar
