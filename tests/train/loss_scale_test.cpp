#include "../../src/train/loss_scale.h"

#include <gtest/gtest.h>

namespace hepar {
namespace {

TEST(LossScale, IsHalvedByAnOverflowAndDoubledAfter2000StepsWithout) {
  LossScale scale(true);
  EXPECT_EQ(scale.value(), 65536);
  EXPECT_TRUE(scale.absorb(false));
  EXPECT_EQ(scale.value(), 32768);
  for (int step = 0; step < 1999; ++step) {
    EXPECT_TRUE(scale.absorb(true));
  }
  EXPECT_EQ(scale.value(), 32768);
  EXPECT_TRUE(scale.absorb(true));
  EXPECT_EQ(scale.value(), 65536);
}

TEST(LossScale, AnOverflowStartsTheCountAnew) {
  LossScale scale(true);
  for (int step = 0; step < 1999; ++step) {
    EXPECT_TRUE(scale.absorb(true));
  }
  EXPECT_TRUE(scale.absorb(false));
  EXPECT_TRUE(scale.absorb(true));
  EXPECT_EQ(scale.value(), 32768);
}

TEST(LossScale, GivesUpWhereNoScaleHelps) {
  LossScale scale(true);
  int borne = 0;
  while (scale.absorb(false)) {
    ++borne;
  }
  EXPECT_EQ(borne, 26);  // 2^16 to 2^-10
}

TEST(LossScale, OffItChangesNothingAndBearsNothing) {
  LossScale scale(false);
  EXPECT_EQ(scale.value(), 1);
  EXPECT_TRUE(scale.absorb(true));
  EXPECT_FALSE(scale.absorb(false));
  EXPECT_EQ(scale.value(), 1);
}

TEST(LossScale, GoesOnFromItsState) {
  LossScale scale(true), other(true);
  EXPECT_TRUE(scale.absorb(false));
  for (int step = 0; step < 1999; ++step) {
    EXPECT_TRUE(scale.absorb(true));
  }
  other.load(scale.state());
  EXPECT_TRUE(other.absorb(true));
  EXPECT_EQ(other.value(), 65536);
}

}  // namespace
}  // namespace hepar
