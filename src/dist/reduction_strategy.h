#pragma once
#include <cstdint>

namespace hepar {

/// One way to sum gradients; GradientReducer picks it.
class ReductionStrategy {
 public:
  ReductionStrategy() = default;
  virtual ~ReductionStrategy() = default;
  ReductionStrategy(const ReductionStrategy&) = delete;
  ReductionStrategy& operator=(const ReductionStrategy&) = delete;
  ReductionStrategy(ReductionStrategy&&) = delete;
  ReductionStrategy& operator=(ReductionStrategy&&) = delete;

  virtual void overlap_next_backward() {}
  virtual void add_micro_batch() = 0;
  virtual void finish() = 0;
  /// Hash of what was sent so far, in order; equal on all ranks unless they went astray.
  [[nodiscard]] virtual std::uint64_t collective_hash() const = 0;
};

/// Folds one more event into a running hash (Fibonacci hashing; order matters).
constexpr std::uint64_t mix_hash(std::uint64_t hash, std::uint64_t event) {
  constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15U;
  const std::uint64_t mixed = (hash ^ event) * kGolden;
  return mixed ^ (mixed >> 29);
}

}  // namespace hepar
