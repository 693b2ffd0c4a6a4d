#include <array>
#include <cmath>

#include "intensity_transforms.h"
#include "vector_math.h"

namespace hepar {
namespace {

// Philox4x32-10 on many counters at once: the same numbers as core's philox4x32, in loops over
// lanes that compilers vectorise.
constexpr std::size_t kLanes = 16;
constexpr std::size_t kBlock = 4 * kLanes;
using Lanes = std::array<std::uint32_t, kLanes>;

struct Words {
  std::array<Lanes, 4> word;
};

void philox_round(Words& state, std::uint32_t key0, std::uint32_t key1) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53U;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57U;
  auto& [a, b, c, d] = state.word;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const std::uint64_t first = kMultiplier0 * a[lane];
    const std::uint64_t second = kMultiplier1 * c[lane];
    const std::uint32_t new_a = static_cast<std::uint32_t>(second >> 32U) ^ b[lane] ^ key0;
    const std::uint32_t new_c = static_cast<std::uint32_t>(first >> 32U) ^ d[lane] ^ key1;
    b[lane] = static_cast<std::uint32_t>(second);
    d[lane] = static_cast<std::uint32_t>(first);
    a[lane] = new_a;
    c[lane] = new_c;
  }
}

/// Words of the counters first, first + 1, …
Words philox_block(std::uint64_t first, std::uint64_t key) {
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;
  Words state{};
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    state.word[0][lane] = static_cast<std::uint32_t>(first + lane);
    state.word[1][lane] = static_cast<std::uint32_t>((first + lane) >> 32U);
  }
  auto key0 = static_cast<std::uint32_t>(key);
  auto key1 = static_cast<std::uint32_t>(key >> 32U);
  for (int round = 0; round < 10; ++round) {
    philox_round(state, key0, key1);
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return state;
}

/// In (0, 1]: 24 bits.
float unit(std::uint32_t word) {
  return static_cast<float>(static_cast<std::int32_t>(word >> 8U) + 1) * 0x1p-24F;
}

std::array<float, kBlock> normal_block(std::uint64_t first, std::uint64_t key) {
  const Words words = philox_block(first, key);
  std::array<float, kBlock> normal;
  for (std::size_t pair = 0; pair < 2; ++pair) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float radius = std::sqrt(-2.0F * vector_log(unit(words.word[2 * pair][lane])));
      const SinCos angle = vector_sincos(unit(words.word[2 * pair + 1][lane]));
      normal[2 * pair * kLanes + lane] = radius * angle.cosine;
      normal[(2 * pair + 1) * kLanes + lane] = radius * angle.sine;
    }
  }
  return normal;
}

}  // namespace

void add_noise(std::span<float> image, float std, std::uint64_t key) {
  for (std::size_t start = 0; start < image.size(); start += kBlock) {
    const std::array<float, kBlock> normal = normal_block(start / 4, key);
    const std::size_t n = std::min(kBlock, image.size() - start);
    for (std::size_t i = 0; i < n; ++i) {
      image[start + i] += std * normal[i];
    }
  }
}

}  // namespace hepar
