#include <algorithm>
#include <array>
#include <chrono>
#include <numeric>
#include <span>

#include "doctor/measure.h"
#include "hepar/core/median.h"

namespace hepar::detail {
namespace {

constexpr std::array<std::int64_t, 4> kBytes{1 << 10, 32 << 10, 1 << 20, 16 << 20};
constexpr double kSecondsASize = 0.25;
constexpr double kTooSlowS = 0.1;  // larger messages would take a user's time and say no more
constexpr int kLot = 3;
constexpr std::size_t kMost = 300;

double timed(Communicator& world, std::vector<float>& values) {
  const auto start = std::chrono::steady_clock::now();
  world.all_reduce(values, ReduceOp::kSum);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Ranks add 1, 2, 3 …; also what makes the transport ready.
bool sums_are_right(Communicator& world, std::vector<float>& values) {
  std::fill(values.begin(), values.end(), static_cast<float>(world.rank() + 1));
  world.all_reduce(values, ReduceOp::kSum);
  const float wanted = static_cast<float>(world.size()) * static_cast<float>(world.size() + 1) / 2;
  std::array<std::int64_t, 1> wrong{
      std::count_if(values.begin(), values.end(), [&](float sum) { return sum != wanted; })};
  world.all_reduce(wrong, ReduceOp::kMax);
  return wrong[0] == 0;
}

/// Until the time is over on the slowest rank, in small lots: what one call takes says little where
/// ranks wait for a processor.
std::vector<double> timed_calls(Communicator& world, std::vector<float>& values) {
  std::vector<double> seconds;
  std::array<double, 1> spent{0};
  while (spent[0] < kSecondsASize && seconds.size() < kMost) {
    for (int i = 0; i < kLot; ++i) {
      seconds.push_back(timed(world, values));
    }
    spent[0] = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    world.all_reduce(spent, ReduceOp::kMax);
  }
  world.all_reduce(seconds, ReduceOp::kMax);
  return seconds;
}

AllReduceTime time_one(std::int64_t bytes, Communicator& world) {
  std::vector<float> values(static_cast<std::size_t>(bytes) / sizeof(float));
  const bool right = sums_are_right(world, values);
  std::fill(values.begin(), values.end(), 0.0F);
  const std::vector<double> seconds = timed_calls(world, values);
  return {.bytes = bytes,
          .median_s = median(seconds),
          .repeats = static_cast<int>(seconds.size()),
          .right = right};
}

}  // namespace

std::vector<AllReduceTime> time_all_reduce(Communicator& world) {
  std::vector<AllReduceTime> times;
  for (const std::int64_t bytes : kBytes) {
    if (world.size() > 1 && (times.empty() || times.back().median_s < kTooSlowS)) {
      times.push_back(time_one(bytes, world));
    }
  }
  return times;
}

}  // namespace hepar::detail
