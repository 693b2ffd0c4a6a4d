#include <gtest/gtest.h>
#include <hepar/core/error.h>
#include <hepar/core/event_file.h>
#include <hepar/core/files.h>

#include <cstring>
#include <vector>

#include "support/temporary.h"

namespace hepar {
namespace {

std::string only_file(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    files.push_back(entry.path());
  }
  return files.size() == 1 ? read_text(files[0]) : "";
}

/// The payloads, as the lengths in front of them say; empty when they do not add up.
std::vector<std::string> payloads(const std::string& bytes) {
  std::vector<std::string> found;
  std::size_t at = 0;
  while (at + 12 <= bytes.size()) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof(length));
    found.push_back(bytes.substr(at + 12, length));
    at += 12 + length + 4;
  }
  return at == bytes.size() ? found : std::vector<std::string>();
}

TEST(EventFile, BeginsAsEveryTensorBoardFileDoes) {
  const test::TemporaryFolder folder;

  { const EventFile file(folder.path(), 0); }

  const std::string bytes = only_file(folder.path());
  ASSERT_GE(bytes.size(), 40U);
  // Length 24, its masked CRC-32C as in files written by TensorFlow, then the version record.
  EXPECT_EQ(bytes.substr(0, 12), std::string("\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22", 12));
  EXPECT_EQ(bytes.substr(21, 15),
            "\x1a\x0d"
            "brain.Event:2");
}

TEST(EventFile, HoldsTagStepAndValue) {
  const test::TemporaryFolder folder;

  EventFile file(folder.path(), 300);
  file.scalar("loss", 301, 0.5);

  const std::vector<std::string> records = payloads(only_file(folder.path()));
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[1].substr(9), std::string("\x10\xac\x02\x3a\x02\x08\x01", 7));  // START at 300
  EXPECT_EQ(records[2].substr(9),
            std::string("\x10\xad\x02\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f", 18));
}

TEST(EventFile, AFolderThatCannotBeMadeIsNamed) {
  const test::TemporaryFolder folder;
  write_atomically(folder.path() / "file", std::string("x"));

  EXPECT_THROW(EventFile(folder.path() / "file" / "in", 0), Error);
}

}  // namespace
}  // namespace hepar
