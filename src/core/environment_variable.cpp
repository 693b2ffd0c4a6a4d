#include "hepar/core/environment_variable.h"

#include <cstdlib>

namespace hepar {

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace hepar
