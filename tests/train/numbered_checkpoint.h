#pragma once
#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <hepar/train/checkpoint.h>

namespace hepar::test {

/// Every number in it tells its step.
inline Checkpoint checkpoint_of(std::int64_t step) {
  const double value = static_cast<double>(step);
  return {.step = step,
          .weights = {{"a", at::full({3, 4}, value)}, {"b", at::full({2}, value + 0.5)}},
          .optimizer = {{"momentum.a", at::full({3, 4}, -value)}},
          .state = {{"note", "step " + std::to_string(step)}}};
}

inline void expect_is_of(const Checkpoint& found, std::int64_t step) {
  const Checkpoint wanted = checkpoint_of(step);
  EXPECT_EQ(found.step, step);
  EXPECT_EQ(found.state.at("note"), wanted.state.at("note"));
  EXPECT_EQ(hash_tensors(found.weights), hash_tensors(wanted.weights));
  EXPECT_EQ(hash_tensors(found.optimizer), hash_tensors(wanted.optimizer));
}

}  // namespace hepar::test
