#pragma once
#include <array>

#include "json_fields.h"

namespace hepar {

/// Three axes, each of 0, 1 and 2 once. Throws DataError.
std::array<int, 3> axes_from_json(const JsonFields& fields, const std::string& key);
/// Three booleans. Throws DataError.
std::array<bool, 3> flips_from_json(const JsonFields& fields, const std::string& key);
/// "manual", "pseudo" or "none". Throws DataError.
std::string label_kind_from_json(const JsonFields& fields, const std::string& key);

/// Longest axis a grid may have: far above any scanner, far below overflow.
constexpr std::int64_t kMaxAxis = 1 << 20;
/// Most shards a set may have.
constexpr std::int64_t kMaxShards = 1 << 20;

}  // namespace hepar
