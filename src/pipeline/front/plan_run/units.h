#pragma once
#include <string>

#include "experiment/result_tables.h"  // fixed()

namespace hepar::detail {

/// "3.1 GB", "12.0 MB", "0.4 kB"; empty for none.
std::string bytes_text(double bytes);
/// "+7.2 %".
std::string percent_text(double fraction);

}  // namespace hepar::detail
