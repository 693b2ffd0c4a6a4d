#include "hepar/comm/communicator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "hepar/core/error.h"

namespace hepar {
namespace {

using ::testing::HasSubstr;

/// sum of r + 1 over all ranks.
double ranks_sum(int size) { return size * (size + 1) / 2.0; }

TEST(Communicator, ReducesDifferentDataOfAllRanks) {
  Communicator world = Communicator::world();
  const int n = world.size();
  std::vector<double> sums{world.rank() + 1.0, 10.0 * (world.rank() + 1)};
  std::vector<float> largest{static_cast<float>(world.rank()), static_cast<float>(-world.rank())};
  std::vector<std::int64_t> smallest{world.rank() - 5, 3 - world.rank()};

  world.all_reduce(sums, ReduceOp::kSum);
  world.all_reduce(largest, ReduceOp::kMax);
  world.all_reduce(smallest, ReduceOp::kMin);

  EXPECT_EQ(sums, (std::vector<double>{ranks_sum(n), 10 * ranks_sum(n)}));
  EXPECT_EQ(largest, (std::vector<float>{static_cast<float>(n - 1), 0}));
  EXPECT_EQ(smallest, (std::vector<std::int64_t>{-5, 4 - n}));
}

TEST(Communicator, ReducesMoreThanOneSegment) {
  Communicator world = Communicator::world();
  constexpr std::size_t kLength =
      (std::size_t{1} << 18) * 2 + 77;  // two segments of floats and a bit
  std::vector<float> values(kLength);
  for (std::size_t i = 0; i < kLength; ++i) {
    values[i] = static_cast<float>((i % 1000) * static_cast<std::size_t>(world.rank() + 1));
  }

  world.all_reduce(values, ReduceOp::kSum);

  for (std::size_t i = 0; i < kLength; ++i) {
    ASSERT_EQ(values[i],
              static_cast<float>(i % 1000) * static_cast<float>(ranks_sum(world.size())));
  }
}

/// Binds this process, while it lives, to the n-th of the processors that it may use.
class Bound {
 public:
  explicit Bound(int n) {
    ::sched_getaffinity(0, sizeof(before_), &before_);
    int last = -1;
    for (int left = n % CPU_COUNT(&before_); left >= 0; --left) {
      do {
        ++last;
      } while (!CPU_ISSET(last, &before_));
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    ::sched_setaffinity(0, sizeof(one), &one);
  }
  ~Bound() { ::sched_setaffinity(0, sizeof(before_), &before_); }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;
  Bound(Bound&&) = delete;
  Bound& operator=(Bound&&) = delete;
  [[nodiscard]] int processors() const { return CPU_COUNT(&before_); }

 private:
  cpu_set_t before_{};
};

TEST(Communicator, CountsTheRanksThatShareItsProcessors) {
  const Communicator world = Communicator::world();
  EXPECT_EQ(world.local_sharers(), world.size());  // the tests bind nobody

  const Bound bound(world.rank());
  const Communicator bound_world = Communicator::world();

  int wanted = 0;
  for (int rank = 0; rank < world.size(); ++rank) {
    wanted += rank % bound.processors() == world.rank() % bound.processors() ? 1 : 0;
  }
  EXPECT_EQ(bound_world.local_sharers(), wanted);
}

TEST(Communicator, BroadcastsBytesAndTextOfAnyRoot) {
  Communicator world = Communicator::world();
  const int root = world.size() - 1;
  std::vector<std::byte> bytes(3, static_cast<std::byte>(world.rank()));

  world.broadcast(bytes, root);
  const std::string text =
      world.broadcast(std::string(10, static_cast<char>('a' + world.rank())), root);
  const std::string empty = world.broadcast(world.rank() == 0 ? "" : "not mine", 0);

  EXPECT_EQ(bytes, std::vector<std::byte>(3, static_cast<std::byte>(root)));
  EXPECT_EQ(text, std::string(10, static_cast<char>('a' + root)));
  EXPECT_EQ(empty, "");
}

TEST(Communicator, GathersTextsOfDifferentLengthsByRank) {
  Communicator world = Communicator::world();

  const auto texts = world.all_gather(std::string(static_cast<std::size_t>(world.rank()), 'x'));

  ASSERT_EQ(texts.size(), static_cast<std::size_t>(world.size()));
  for (std::size_t r = 0; r < texts.size(); ++r) {
    EXPECT_EQ(texts[r].size(), r);
  }
}

TEST(Communicator, SplitsByColourInRankOrder) {
  Communicator world = Communicator::world();

  Communicator half = world.split(world.rank() % 2);
  std::vector<std::int64_t> members{world.rank()};
  half.all_reduce(members, ReduceOp::kSum);

  EXPECT_EQ(half.rank(), world.rank() / 2);
  EXPECT_EQ(half.size(), (world.size() + 1 - world.rank() % 2) / 2);
  std::int64_t wanted = 0;
  for (int r = world.rank() % 2; r < world.size(); r += 2) {
    wanted += r;
  }
  EXPECT_EQ(members[0], wanted);
}

TEST(Communicator, KnowsItsPlaceOnTheHost) {
  Communicator world = Communicator::world();
  EXPECT_EQ(world.local_size(), world.size());  // the tests run on one host
  EXPECT_EQ(world.local_rank(), world.rank());
  EXPECT_FALSE(world.host().empty());
}

TEST(Communicator, StaysUsableWhenMoved) {
  Communicator first = Communicator::world();
  Communicator second = first.split(0);

  second = std::move(first);  // what `second` held is released
  std::vector<std::int64_t> values{1};
  second.all_reduce(values, ReduceOp::kSum);

  EXPECT_EQ(values[0], second.size());
}

TEST(Communicator, SendsReceivesAndExchangesLongMessages) {
  Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  const int peer = world.rank() ^ 1;
  constexpr std::size_t kLength = (std::size_t{1} << 18) + 3;
  const std::vector<float> mine(kLength, static_cast<float>(world.rank() + 1));
  std::vector<float> theirs(kLength);
  std::vector<double> doubles(5);

  world.exchange(mine, theirs, peer, 1);
  world.exchange(std::vector<double>(5, 0.5 * world.rank()), doubles, peer, 2);
  std::vector<float> relayed(kLength);
  if (world.rank() % 2 == 0) {
    world.send(theirs, peer, 3);
    world.receive(relayed, peer, 3);
  } else {
    world.receive(relayed, peer, 3);
    world.send(theirs, peer, 3);
  }

  EXPECT_EQ(theirs, std::vector<float>(kLength, static_cast<float>(peer + 1)));
  EXPECT_EQ(doubles, std::vector<double>(5, 0.5 * peer));
  EXPECT_EQ(relayed, mine);
}

TEST(Communicator, RefusesAMessageOfAnotherLength) {
  Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  std::vector<float> values(3);
  if (world.rank() == 0) {
    world.send(std::vector<float>(2), 1, 4);
    world.send(std::vector<float>(4), 1, 5);
  } else if (world.rank() == 1) {
    EXPECT_THROW(world.receive(values, 0, 4), CommError);
    try {
      world.receive(values, 0, 5);
      FAIL() << "a message that is too long was accepted";
    } catch (const CommError& e) {
      EXPECT_THAT(e.what(), HasSubstr("MPI_Recv failed: MPI_ERR_TRUNCATE"));
      EXPECT_THAT(e.what(), HasSubstr("rank 1 on "));
    }
  }
}

TEST(Communicator, ReductionTravelsWhileOtherCollectivesRun) {
  Communicator world = Communicator::world();
  std::vector<std::int64_t> flags{world.rank(), -world.rank()};

  PendingReduction pending = world.start_all_reduce(flags, ReduceOp::kMax);
  const bool was_active = pending.active();
  std::vector<double> other{1};
  world.all_reduce(other, ReduceOp::kSum);
  world.barrier();
  pending.wait();

  EXPECT_TRUE(was_active);
  EXPECT_FALSE(pending.active());
  EXPECT_EQ(flags, (std::vector<std::int64_t>{world.size() - 1, 0}));
  EXPECT_EQ(other[0], world.size());
}

TEST(Communicator, AnAbandonedReductionLeavesTheTargetAlone) {
  Communicator world = Communicator::world();
  std::vector<std::int64_t> flags{world.rank()};

  { const PendingReduction pending = world.start_all_reduce(flags, ReduceOp::kSum); }
  world.barrier();

  EXPECT_EQ(flags[0], world.rank());
}

/// Runs `call` on all ranks and returns the text of the CommError it must throw.
template <class F>
std::string error_of(F&& call) {
  try {
    call();
  } catch (const CommError& e) {
    return e.what();
  }
  return "no error";
}

TEST(Mismatch, OfCallsNamesBothRanksAndCalls) {
  Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  std::vector<double> values(12);
  world.barrier();

  const std::string text = error_of([&] {
    if (world.rank() == 1) {
      world.barrier();
    } else {
      world.all_reduce(values, ReduceOp::kSum);
    }
  });

  const std::string reduce = "is at call 1: all_reduce(12 float64, sum)";
  const std::string barrier = "is at call 1: barrier()";
  const bool odd = world.rank() == 1;
  EXPECT_THAT(text, HasSubstr("rank " + std::to_string(world.rank()) + " of "));
  EXPECT_THAT(text, HasSubstr("this rank " + (odd ? barrier : reduce)));
  EXPECT_THAT(text, HasSubstr(odd ? "rank 0 " + reduce : "rank 1 " + barrier));
  world.barrier();  // the group is still usable
}

TEST(Mismatch, OfLengthTypeOperationAndRootIsFound) {
  Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  const bool last = world.rank() == world.size() - 1;
  std::vector<double> doubles(last ? 3 : 4);
  std::vector<float> floats(4);
  std::vector<std::int64_t> integers(4);

  EXPECT_THAT(error_of([&] { world.all_reduce(doubles, ReduceOp::kSum); }),
              HasSubstr("all_reduce(3 float64, sum)"));
  EXPECT_THAT(error_of([&] {
                last ? world.all_reduce(floats, ReduceOp::kSum)
                     : world.all_reduce(integers, ReduceOp::kSum);
              }),
              HasSubstr("all_reduce(4 float32, sum)"));
  EXPECT_THAT(error_of([&] { world.all_reduce(floats, last ? ReduceOp::kMax : ReduceOp::kMin); }),
              HasSubstr("all_reduce(4 float32, max)"));
  EXPECT_THAT(error_of([&] { static_cast<void>(world.broadcast("x", last ? 1 : 0)); }),
              HasSubstr("broadcast(text, root 1)"));
}

TEST(Mismatch, OfASkippedCallIsFoundByItsNumber) {
  Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  Communicator other = world.split(0);
  Communicator* mine = world.rank() == 0 ? &other : nullptr;
  // Rank 0 counts one call more: a barrier that failed against an agree() of the others.
  EXPECT_THAT(error_of([&] { mine != nullptr ? other.barrier() : other.agree(""); }),
              HasSubstr("agree()"));
  other.barrier();
}

TEST(Agree, PassesWhenAllAreWell) {
  Communicator world = Communicator::world();
  EXPECT_NO_THROW(world.agree(""));
}

TEST(Agree, ThrowsTheLowestProblemOnEveryRank) {
  Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  const std::string problem =
      world.rank() == 0 ? "" : "case 0" + std::to_string(world.rank()) + " is damaged";
  try {
    world.agree(problem, world.rank() == 1 ? 3 : 1);
    FAIL() << "no error";
  } catch (const AgreedError& e) {
    EXPECT_STREQ(e.what(), "[rank 1] case 01 is damaged");
    EXPECT_EQ(e.code(), ExitCode::kBadData);
  }
}

}  // namespace
}  // namespace hepar
