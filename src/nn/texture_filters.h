#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace hepar::nn {

constexpr std::int64_t kTexturePairs = 4;  ///< of either kind

/// Two filters [side, side, side] on (z, y, x), float32, their sums 0 and their lengths 1: a fine
/// and a coarse difference of Gaussians, which see texture of any direction. `which` 0 to 3.
std::array<at::Tensor, 2> isotropic_pair(std::int64_t which, std::int64_t side);

/// Likewise: waves in the plane along 0, 45, 90 or 135 degrees from x to y (Gabor, 1946), and a
/// fine difference of Gaussians, which sees the same period in any direction.
std::array<at::Tensor, 2> oriented_pair(std::int64_t which, std::int64_t side);

}  // namespace hepar::nn
