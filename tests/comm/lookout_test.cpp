// The watchdog's judgement, look by look, without time or MPI.
#include "../../src/comm/lookout.h"

#include <gmock/gmock.h>

#include "../../src/comm/rank_record.h"
#include "support/temporary.h"

namespace hepar {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Records = std::vector<std::optional<RankRecord>>;

/// Four ranks on two hosts, all in one call; rank 0 looks.
class LookoutTest : public ::testing::Test {
 protected:
  LookoutTest() {
    for (int rank = 0; rank < 4; ++rank) {
      records_.push_back(RankRecord{.rank = rank,
                                    .host = rank < 2 ? "one" : "two",
                                    .beat = 1,
                                    .progress = 7,
                                    .sequence = 5,
                                    .call = "call 5: barrier()",
                                    .peer = -1,
                                    .phase = "step 3"});
    }
    EXPECT_TRUE(lookout_.moved(*records_[0]));
  }

  RankRecord& rank(std::size_t number) { return *records_[number]; }

  void beat() {
    for (auto& record : records_) {
      if (record) {
        ++record->beat;
      }
    }
  }

  /// One look with what the ranks say now.
  Lookout::Verdict look() {
    EXPECT_FALSE(lookout_.moved(*records_[0]));
    return lookout_.look(records_);
  }

  /// The verdict after so many looks at ranks that go on beating.
  Lookout::Verdict after(int looks) {
    Lookout::Verdict verdict;
    for (int i = 0; i < looks; ++i) {
      beat();
      verdict = look();
      EXPECT_TRUE(i + 1 == looks || !verdict.end) << "look " << i + 1 << ": " << verdict.text;
    }
    return verdict;
  }

  Records records_;
  Lookout lookout_{{.self = 0, .look_s = 5, .silence = 6, .deadline = 20}, 4};
};

TEST_F(LookoutTest, NamesRanksOfTheOtherHostWhenAllWait) {
  EXPECT_FALSE(after(5).end);

  const Lookout::Verdict verdict = after(1);

  EXPECT_TRUE(verdict.end);
  EXPECT_THAT(verdict.text,
              AllOf(HasSubstr("waited for 30 s in call 5: barrier() (step 3)"),
                    HasSubstr("no answer from rank 2 on two in call 5: barrier() (step 3); rank 3"),
                    Not(HasSubstr("rank 1"))));
}

TEST_F(LookoutTest, NamesTheRankThatIsBehindOrWaitedFor) {
  rank(1).sequence = 4;
  EXPECT_THAT(after(6).text,
              AllOf(HasSubstr("no answer from rank 1 on one"), Not(HasSubstr("two"))));

  rank(1).sequence = 5;
  rank(0).peer = 3;
  EXPECT_THAT(after(1).text,
              AllOf(HasSubstr("no answer from rank 3 on two"), Not(HasSubstr("rank 2"))));
}

TEST_F(LookoutTest, NamesARankWithoutABeat) {
  rank(3).call.clear();
  after(2);
  Lookout::Verdict verdict;
  for (int i = 0; i < 4; ++i) {
    const std::int64_t last = rank(3).beat;
    beat();
    rank(3).beat = last;
    EXPECT_FALSE(verdict.end);
    verdict = look();
  }

  EXPECT_TRUE(verdict.end);
  EXPECT_THAT(verdict.text, HasSubstr("no sign of life for 20 s or more from rank 3 on two"));
}

TEST_F(LookoutTest, WaitsForARankThatWorksUntilTheDeadline) {
  rank(2).call.clear();
  rank(2).phase = "saving";

  const Lookout::Verdict warning = after(6);
  EXPECT_FALSE(warning.end);
  EXPECT_THAT(warning.text, HasSubstr("goes on waiting for rank 2 on two at work (saving)"));
  EXPECT_THAT(after(1).text, IsEmpty());
  EXPECT_THAT(after(5).text, HasSubstr("waited for 60 s"));

  const Lookout::Verdict verdict = after(8);
  EXPECT_TRUE(verdict.end);
  EXPECT_THAT(verdict.text,
              HasSubstr("longer than the deadline, for rank 2 on two at work (saving)"));
}

TEST_F(LookoutTest, WaitsForRanksThatExchangeMessages) {
  Lookout::Verdict verdict;
  for (int i = 0; i < 10; ++i) {
    rank(2).progress += 1;
    verdict = after(1);
    EXPECT_FALSE(verdict.end) << verdict.text;
  }
}

TEST_F(LookoutTest, ConcludesNothingOfARankThatWasNeverSeen) {
  records_[3].reset();

  EXPECT_FALSE(after(19).end);
  const Lookout::Verdict verdict = after(1);

  EXPECT_TRUE(verdict.end);
  EXPECT_THAT(verdict.text, HasSubstr("rank 3, whose record is not seen here"));
}

TEST_F(LookoutTest, StartsAgainWhenItMoves) {
  after(5);
  ++rank(0).progress;
  EXPECT_TRUE(lookout_.moved(rank(0)));

  EXPECT_FALSE(after(5).end);
  EXPECT_TRUE(after(1).end);
}

TEST_F(LookoutTest, EndsItsOwnWorkAfterTheDeadlineOnly) {
  rank(0).call.clear();
  EXPECT_FALSE(after(25).end);

  EXPECT_THAT(after(1).text, HasSubstr("this rank has been at work (step 3) for 130 s"));
}

TEST(RankRecord, IsReadAsItWasWrittenAndRewrittenInPlace) {
  const test::TemporaryFolder folder;
  RankRecord record{.rank = 2, .host = "node", .call = {}, .phase = std::string(700, 'x')};
  EXPECT_FALSE(write_record(folder.path(), record, false));
  ASSERT_TRUE(write_record(folder.path(), record, true));
  record = {.rank = 2,
            .host = "node7",
            .beat = 3,
            .progress = 11,
            .sequence = 4,
            .call = "call 4: barrier()",
            .peer = 1,
            .phase = "step 1"};

  ASSERT_TRUE(write_record(folder.path(), record, false));
  const std::optional<RankRecord> found = read_record(folder.path(), 2);

  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->beat, 3);
  EXPECT_EQ(found->where(), "in call 4: barrier() (step 1)");
  EXPECT_EQ(found->who(), "rank 2 on node7");
  EXPECT_FALSE(read_record(folder.path(), 1).has_value());
}

}  // namespace
}  // namespace hepar
