#include "hepar/core/version.h"

namespace hepar {

std::string version() { return HEPAR_VERSION; }

}  // namespace hepar
