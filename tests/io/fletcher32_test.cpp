#include "fletcher32.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hepar {
namespace {

std::uint32_t checksum(const std::string& text) {
  return fletcher32(std::as_bytes(std::span(text)));
}

TEST(Fletcher32, EqualsSumsDoneByHand) {
  EXPECT_EQ(checksum(""), 0U);
  EXPECT_EQ(checksum("a"), 0x61006100U);
  // Words 6162 6364 6500: sums 129C6 -> 29C7; 6162 + C4C6 + 29C7 = 14FEF -> 4FF0.
  EXPECT_EQ(checksum("abcde"), 0x4FF029C7U);
  // End-around carry never turns a sum of other than zero words into zero.
  EXPECT_EQ(checksum("\xff\xff"), 0xFFFFFFFFU);
  EXPECT_EQ(checksum(std::string(8, '\0')), 0U);
}

TEST(Fletcher32, LongInputsFoldWithoutOverflow) {
  // 2^22 words of FFFF, each 0 modulo 65535.
  const std::vector<std::byte> ones(std::size_t{1} << 23, std::byte{0xFF});
  EXPECT_EQ(fletcher32(ones), 0xFFFFFFFFU);
}

}  // namespace
}  // namespace hepar
