#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace hepar {

/// Fletcher's checksum over big-endian 16-bit words, sums modulo 65535, an odd last byte padded
/// with zero: the checksum of HDF5's filter 3 (HDF5 file format specification, "Fletcher32").
std::uint32_t fletcher32(std::span<const std::byte> bytes);

}  // namespace hepar
