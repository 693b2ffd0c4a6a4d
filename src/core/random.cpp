#include "hepar/core/random.h"

#include <cmath>
#include <numbers>
#include <utility>

#include "hepar/core/error.h"

namespace hepar {
namespace {

// Multipliers and key increments of Philox4x32 (Salmon et al., SC 2011, table 2).
constexpr std::uint32_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t p1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {
        static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

// Key = seed; counter = (block, purpose and slot, step): no two addresses share a counter as long
// as a stream draws fewer than 2^32 blocks, the purpose stays below 2^8 and the slot below 2^24.
RandomStream::RandomStream(const Address& address)
    : key_{static_cast<std::uint32_t>(address.seed),
           static_cast<std::uint32_t>(address.seed >> 32)},
      counter_{0, (static_cast<std::uint32_t>(address.purpose) << 24) | address.slot,
               static_cast<std::uint32_t>(address.step),
               static_cast<std::uint32_t>(address.step >> 32)} {
  require(address.slot < (1u << 24),
          "RandomStream: slot must be below 2^24, found " + std::to_string(address.slot));
}

std::uint32_t RandomStream::next_u32() {
  if (used_ == 4) {
    block_ = philox4x32(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

std::uint64_t RandomStream::next_u64() {
  const std::uint64_t low = next_u32();
  return low | (std::uint64_t{next_u32()} << 32);
}

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

double RandomStream::uniform(double low, double high) { return low + (high - low) * uniform(); }

bool RandomStream::chance(double probability) { return uniform() < probability; }

std::int64_t RandomStream::integer(std::int64_t n) {
  require(n >= 1, "RandomStream::integer: wanted n >= 1, found " + std::to_string(n));
  const auto range = static_cast<std::uint64_t>(n);
  const std::uint64_t limit =
      UINT64_MAX - UINT64_MAX % range;  // the rest would favour small numbers
  std::uint64_t draw = next_u64();
  while (draw >= limit) {
    draw = next_u64();
  }
  return static_cast<std::int64_t>(draw % range);
}

double RandomStream::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  const double angle = 2 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

RandomStream RandomStream::after(std::uint32_t blocks) const {
  require(counter_[0] == 0, "RandomStream::after: wanted a stream of which nothing was drawn");
  RandomStream later = *this;
  later.counter_[0] = blocks;
  return later;
}

void RandomStream::shuffle(std::vector<std::int64_t>& v) {
  for (std::size_t i = v.size(); i > 1; --i) {
    std::swap(v[i - 1], v[static_cast<std::size_t>(integer(static_cast<std::int64_t>(i)))]);
  }
}

}  // namespace hepar
