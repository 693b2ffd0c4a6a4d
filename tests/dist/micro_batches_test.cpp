#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "hepar/core/error.h"
#include "hepar/dist/gradient_reducer.h"

namespace hepar {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// All micro-batches of all ranks, in order.
std::vector<SlotRange> of_all_ranks(std::int64_t batch, int ranks, const ReducerOptions& options) {
  std::vector<SlotRange> all;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto mine = micro_batches(batch, rank, ranks, options);
    all.insert(all.end(), mine.begin(), mine.end());
  }
  return all;
}

void expect_partition(const std::vector<SlotRange>& ranges, std::int64_t batch) {
  std::int64_t next = 0;
  const auto parts = static_cast<std::int64_t>(ranges.size());
  for (const SlotRange& range : ranges) {
    EXPECT_EQ(range.first, next);
    EXPECT_GE(range.count, batch / parts);
    EXPECT_LE(range.count, (batch + parts - 1) / parts);
    next += range.count;
  }
  EXPECT_EQ(next, batch);
}

TEST(MicroBatches, OfATreeAreTheSameForAnyNumberOfRanks) {
  for (const std::int64_t shards : {1, 2, 4, 8}) {
    for (std::int64_t batch = shards; batch <= 19; ++batch) {
      const ReducerOptions tree{.shards = shards};
      const auto alone = of_all_ranks(batch, 1, tree);
      ASSERT_EQ(static_cast<std::int64_t>(alone.size()), shards);
      expect_partition(alone, batch);
      for (int ranks = 2; ranks <= shards; ranks *= 2) {
        EXPECT_EQ(of_all_ranks(batch, ranks, tree), alone);
      }
    }
  }
}

TEST(MicroBatches, OfFastAreOneContiguousShareARank) {
  const ReducerOptions fast{.reduction = Reduction::kFast};
  for (int ranks = 1; ranks <= 7; ++ranks) {
    for (std::int64_t batch = ranks; batch <= 15; ++batch) {
      const auto all = of_all_ranks(batch, ranks, fast);
      ASSERT_EQ(static_cast<int>(all.size()), ranks);
      expect_partition(all, batch);
    }
  }
  EXPECT_THAT(of_all_ranks(5, 2, fast), ElementsAre(SlotRange{0, 2}, SlotRange{2, 3}));
}

std::string refusal(std::int64_t batch, int ranks, const ReducerOptions& options) {
  try {
    static_cast<void>(micro_batches(batch, 0, ranks, options));
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(MicroBatches, RefuseMoreRanksThanSamplesAndProposeTrainingsSideBySide) {
  const std::string text = refusal(2, 8, {.reduction = Reduction::kFast});
  EXPECT_THAT(text, HasSubstr("8 ranks: wanted at most one a sample (train.global_batch is 2)"));
  EXPECT_THAT(text, HasSubstr("4 folds or rows of the experiment side by side on 8 ranks"));
  EXPECT_THAT(text, HasSubstr("--ranks-per-trial 2"));
}

TEST(MicroBatches, RefuseShardsThatAreNoPowerOfTwo) {
  EXPECT_THAT(refusal(8, 2, {.shards = 6}), HasSubstr("found 6; set it to 4 or 8"));
  EXPECT_THAT(refusal(8, 1, {.shards = 0}), HasSubstr("found 0; set it to 1"));
}

TEST(MicroBatches, RefuseRanksThatAreNoPowerOfTwo) {
  const std::string text = refusal(8, 6, {.shards = 8});
  EXPECT_THAT(text, HasSubstr("6 ranks: dist.reduction: tree wants a power of two"));
  EXPECT_THAT(text, HasSubstr("run one training with 4 ranks"));
  EXPECT_THAT(text, HasSubstr("dist.reduction: fast"));
}

TEST(MicroBatches, RefuseMoreRanksThanShards) {
  const std::string text = refusal(8, 8, {.shards = 2});
  EXPECT_THAT(text, HasSubstr("8 ranks: dist.reduction: tree with dist.shards 2 wants at most 2"));
  EXPECT_THAT(text, HasSubstr("4 folds or rows of the experiment side by side"));
}

TEST(MicroBatches, RefuseMoreShardsThanSamples) {
  EXPECT_THAT(refusal(3, 2, {.shards = 4}),
              HasSubstr("train.global_batch is 3), found 4; set dist.shards to 2"));
  EXPECT_THAT(refusal(3, 4, {.shards = 4}), HasSubstr("run one training with 2 ranks, or 2 folds"));
  EXPECT_THAT(refusal(0, 1, {.shards = 1}), HasSubstr("train.global_batch: wanted at least 1"));
}

TEST(MicroBatches, RefuseARankThatIsNotThere) {
  EXPECT_THROW(micro_batches(4, 2, 2, {.shards = 2}), ShapeError);
  EXPECT_THROW(micro_batches(4, -1, 2, {.shards = 2}), ShapeError);
}

}  // namespace
}  // namespace hepar
