#pragma once
#include <string>

namespace hepar {

/// "0.1.0+abc1234" : release and the commit the program was built from ("unknown" outside a
/// checkout).
std::string version();

}  // namespace hepar
