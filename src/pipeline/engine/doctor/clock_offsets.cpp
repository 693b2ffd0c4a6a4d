#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <span>

#include "doctor/measure.h"

namespace hepar::detail {
namespace {

constexpr int kRounds = 40;
constexpr int kTag = 1;

double clock_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// A stamp that was received at `now` was made before: it bounds the difference of the clocks from
/// one side. Both ends keep the tightest bound they saw; the root's and the peer's enclose the
/// offset, whatever the messages' ways took.
double tightest_bound(Communicator& world, int peer) {
  double bound = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kRounds; ++round) {
    const std::array<double, 1> mine{clock_s()};
    std::array<double, 1> theirs{};
    world.exchange(mine, theirs, peer, kTag);
    bound = std::min(bound, clock_s() - theirs[0]);  // >= my clock minus theirs
  }
  return bound;
}

/// The peer's clock minus the root's. Both call it.
ClockOffset offset_between(Communicator& world, int peer, const std::string& host) {
  const std::array<double, 1> mine{tightest_bound(world, peer)};
  std::array<double, 1> theirs{};
  world.exchange(mine, theirs, peer, kTag);
  return {.host = host,
          .offset_s = (theirs[0] - mine[0]) / 2,
          .uncertainty_s = (theirs[0] + mine[0]) / 2};
}

/// The first rank of each host but the first.
std::vector<int> one_rank_a_host(const std::vector<RankFacts>& ranks) {
  std::vector<int> firsts;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const auto same = [&](const RankFacts& other) { return other.host == ranks[i].host; };
    const auto first = std::find_if(ranks.begin(), ranks.end(), same) - ranks.begin();
    if (first > 0 && first == static_cast<std::ptrdiff_t>(i)) {
      firsts.push_back(static_cast<int>(i));
    }
  }
  return firsts;
}

}  // namespace

std::vector<ClockOffset> compare_clocks(Communicator& world, const std::vector<RankFacts>& ranks) {
  std::vector<ClockOffset> offsets;
  for (const int peer : one_rank_a_host(ranks)) {
    if (world.is_root()) {
      offsets.push_back(offset_between(world, peer, ranks[static_cast<std::size_t>(peer)].host));
    } else if (world.rank() == peer) {
      (void)offset_between(world, 0, "");
    }
    world.barrier();
  }
  return offsets;
}

}  // namespace hepar::detail
