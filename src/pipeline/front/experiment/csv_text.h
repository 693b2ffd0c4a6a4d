#pragma once
#include <optional>
#include <string>

#include "experiment/result_tables.h"

namespace hepar::detail {

inline std::string quoted(const std::string& text) {
  std::string doubled;
  for (const char c : text) {
    doubled += c == '"' ? "\"\"" : std::string(1, c);
  }
  return "\"" + doubled + "\"";
}

/// Six digits; empty when there is none.
inline std::string number(const std::optional<double>& value) {
  return value ? fixed(*value, 6) : "";
}

}  // namespace hepar::detail
