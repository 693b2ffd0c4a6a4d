#include "hepar/pipeline/time_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hepar/core/error.h>

#include <cstdlib>

namespace hepar::test {
namespace {

using Clock = TimeLimit::Clock;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// UTC, so that the instants below can be written down: 2026-11-27 08:00:00.
class TimeLimitTest : public ::testing::Test {
 protected:
  TimeLimitTest() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    ::unsetenv("SLURM_JOB_ID");
    ::unsetenv("SLURM_JOB_END_TIME");
  }
  ~TimeLimitTest() override {
    ::unsetenv("TZ");
    ::tzset();
    ::unsetenv("SLURM_JOB_ID");
    ::unsetenv("SLURM_JOB_END_TIME");
  }
  const Clock::time_point now_ = Clock::from_time_t(1795766400);
};

TEST_F(TimeLimitTest, ReadsATimeOfDayAsTheNextOne) {
  EXPECT_EQ(instant_of("09:30", now_), now_ + minutes(90));
  EXPECT_EQ(instant_of("08:00:01", now_), now_ + seconds(1));
  EXPECT_EQ(instant_of("08:00", now_), now_ + hours(24));
  EXPECT_EQ(instant_of("07:59:59", now_), now_ + hours(24) - seconds(1));
}

TEST_F(TimeLimitTest, ReadsADate) {
  EXPECT_EQ(instant_of("2026-11-28T00:00", now_), now_ + hours(16));
  EXPECT_EQ(instant_of("2026-11-27T08:00:05", now_), now_ + seconds(5));
}

TEST_F(TimeLimitTest, RefusesWhatIsNoTimeOrHasPassed) {
  for (const char* text : {"soon", "25:00", "9h", "09:30 ", "2026-11-28", "2026-11-27T07:59"}) {
    EXPECT_THROW((void)instant_of(text, now_), ConfigError) << text;
  }
}

TEST_F(TimeLimitTest, WorkFitsWhenItEndsInTime) {
  const TimeLimit limit(now_ + seconds(100), 30);
  EXPECT_TRUE(limit.fits(100, now_));
  EXPECT_FALSE(limit.fits(100.5, now_));
  EXPECT_FALSE(limit.over(now_ + seconds(69)));
  EXPECT_TRUE(limit.over(now_ + seconds(70)));
  EXPECT_EQ(limit.text(), "2026-11-27 08:01:40");
  EXPECT_DOUBLE_EQ(limit.epoch_s(), 1795766500);
}

TEST_F(TimeLimitTest, WithoutALimitAllFits) {
  const TimeLimit none;
  EXPECT_FALSE(none.exists());
  EXPECT_TRUE(none.fits(1e12, now_));
  EXPECT_FALSE(none.over(now_ + hours(1000)));
  EXPECT_EQ(none.epoch_s(), 0);
}

TEST_F(TimeLimitTest, AsksSlurm) {
  EXPECT_FALSE(end_of_slurm_job());
  ::setenv("SLURM_JOB_ID", "7", 1);
  ::setenv("SLURM_JOB_END_TIME", "1795766460", 1);
  EXPECT_EQ(end_of_slurm_job(), now_ + minutes(1));
  EXPECT_EQ(time_limit({.until = "", .margin_s = 5}).epoch_s(), 1795766460);
}

TEST_F(TimeLimitTest, ReadsWhatScontrolSays) {
  EXPECT_EQ(end_time_in("JobId=7 JobName=x\n   StartTime=2026-11-27T07:00:00 "
                        "EndTime=2026-11-27T09:00:00 Deadline=N/A\n"),
            now_ + hours(1));
  EXPECT_FALSE(end_time_in("JobId=7 EndTime=Unknown Deadline=N/A"));
  EXPECT_FALSE(end_time_in("slurm_load_jobs error"));
}

}  // namespace
}  // namespace hepar::test
