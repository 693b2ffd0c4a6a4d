#include "hepar/core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "hepar/core/error.h"

namespace hepar {
namespace {

// Known answers of Random123 (kat_vectors, philox4x32 10 rounds).
TEST(Random, PhiloxGivesThePublishedKnownAnswers) {
  using Block = std::array<std::uint32_t, 4>;

  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, EachPartOfTheAddressGivesAnotherStream) {
  const RandomStream::Address base{.seed = 1, .purpose = Purpose::kSampling, .step = 5, .slot = 2};
  RandomStream::Address seed = base, purpose = base, step = base, slot = base;
  seed.seed = 2;
  purpose.purpose = Purpose::kAugmentation;
  step.step = 6;
  slot.slot = 3;

  std::set<std::uint64_t> first;
  for (const auto& address : {base, seed, purpose, step, slot}) {
    first.insert(RandomStream(address).next_u64());
  }

  EXPECT_EQ(first.size(), 5u);
  EXPECT_EQ(RandomStream(base).next_u64(), RandomStream(base).next_u64());
}

TEST(Random, ALaterPartOfAStreamIsWhatDrawingReaches) {
  const RandomStream random({.seed = 9, .purpose = Purpose::kTest, .step = 1, .slot = 2});
  RandomStream drawn = random;
  for (int i = 0; i < 6; ++i) {
    drawn.normal();
  }
  RandomStream later = random.after(3);

  EXPECT_EQ(later.normal(), drawn.normal());
  EXPECT_EQ(later.normal(), drawn.normal());
  EXPECT_THROW(static_cast<void>(drawn.after(1)), Error);
}

TEST(Random, IntegersAreUniformAndInRange) {
  RandomStream random({.seed = 3, .purpose = Purpose::kTest, .step = 0, .slot = 0});
  std::array<int, 7> seen{};
  constexpr int kDraws = 70000;

  for (int i = 0; i < kDraws; ++i) {
    ++seen.at(static_cast<std::size_t>(random.integer(7)));
  }

  double chi_squared = 0;
  for (const int n : seen) {
    chi_squared += std::pow(n - kDraws / 7.0, 2) / (kDraws / 7.0);
  }
  EXPECT_LT(chi_squared, 22.5);  // 99.9 % point of 6 degrees of freedom
}

TEST(Random, NormalsHaveMeanZeroAndVarianceOne) {
  RandomStream random({.seed = 4, .purpose = Purpose::kTest, .step = 0, .slot = 0});
  double sum = 0, squares = 0, fourth = 0;
  constexpr int kDraws = 100000;

  for (int i = 0; i < kDraws; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }

  EXPECT_NEAR(sum / kDraws, 0, 0.015);
  EXPECT_NEAR(squares / kDraws, 1, 0.02);
  EXPECT_NEAR(fourth / kDraws, 3, 0.15);
}

TEST(Random, ShuffleIsAPermutation) {
  RandomStream random({.seed = 5, .purpose = Purpose::kTest, .step = 0, .slot = 0});
  std::vector<std::int64_t> v(100);
  for (std::size_t i = 0; i < v.size(); ++i) {
    v[i] = static_cast<std::int64_t>(i);
  }
  const auto sorted = v;

  random.shuffle(v);

  EXPECT_NE(v, sorted);
  EXPECT_TRUE(std::is_permutation(v.begin(), v.end(), sorted.begin()));
}

}  // namespace
}  // namespace hepar
