#pragma once
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>

namespace hepar::detail {

/// A cell that is one finite number and nothing else.
inline std::optional<double> number_of(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const bool whole = !text.empty() && end == text.c_str() + text.size();
  return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

/// log(p / (1 − p)) with p kept within [1e-7, 1 − 1e-7], so that saturated scores stay finite.
inline double log_odds(double p) {
  constexpr double kSmallest = 1e-7;
  const double kept = std::clamp(p, kSmallest, 1 - kSmallest);
  return std::log(kept / (1 - kept));
}

/// A CSV cell, in quotes where it must be.
inline std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) {
    return text;
  }
  std::string escaped = "\"";
  for (const char c : text) {
    escaped += c == '"' ? std::string("\"\"") : std::string(1, c);
  }
  return escaped + "\"";
}

}  // namespace hepar::detail
