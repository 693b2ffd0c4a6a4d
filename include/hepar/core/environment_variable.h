#pragma once
#include <string>

namespace hepar {

/// Its value; empty when it is not set.
std::string environment_variable(const char* name);

}  // namespace hepar
