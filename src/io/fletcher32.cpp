#include "fletcher32.h"

namespace hepar {

namespace {

constexpr std::uint64_t kModulus = 65535;

/// `value` brought into 1…65535 (0 stays 0), as end-around-carry addition leaves it: a sum that is
/// a multiple of 65535 reads 65535 unless every word was zero.
std::uint32_t fold(std::uint64_t value) {
  const std::uint64_t rest = value % kModulus;
  return static_cast<std::uint32_t>(rest == 0 && value != 0 ? kModulus : rest);
}

}  // namespace

std::uint32_t fletcher32(std::span<const std::byte> bytes) {
  // 64-bit sums of 65535-limited words overflow only after 2^20 words or more, so they are folded
  // that often.
  constexpr std::size_t kWordsPerFold = std::size_t{1} << 20;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  const std::size_t words = bytes.size() / 2;
  for (std::size_t begin = 0; begin < words; begin += kWordsPerFold) {
    const std::size_t end = begin + kWordsPerFold < words ? begin + kWordsPerFold : words;
    for (std::size_t i = begin; i < end; ++i) {
      low += (std::to_integer<std::uint64_t>(bytes[2 * i]) << 8) |
             std::to_integer<std::uint64_t>(bytes[2 * i + 1]);
      high += low;
    }
    low = fold(low);
    high = fold(high);
  }
  if (bytes.size() % 2 != 0) {
    low = fold(low + (std::to_integer<std::uint64_t>(bytes.back()) << 8));
    high = fold(high + low);
  }
  return (fold(high) << 16) | fold(low);
}

}  // namespace hepar
