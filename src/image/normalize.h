#pragma once
#include <hepar/core/normalization.h>
#include <cstdint>
#include <span>

namespace hepar::detail {

/// Applies one channel's rule in place. `inside` (same length, 0 or 1) is read by kZScoreMasked
/// only.
void normalize(std::span<float> values, const Normalization& rule,
               std::span<const std::uint8_t> inside);

}  // namespace hepar::detail
