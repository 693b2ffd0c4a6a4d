#include "hepar/core/files.h"

#include <gtest/gtest.h>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/core/json.h"
#include "hepar/core/parallel.h"
#include "hepar/core/text.h"
#include "support/temporary.h"

#include <atomic>

namespace hepar {
namespace {

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(Files, AnAtomicWriteLeavesOnlyItsFile) {
  const test::TemporaryFolder folder;

  write_atomically(folder.path() / "a.nii.gz", std::string("first"));
  write_atomically(folder.path() / "a.nii.gz", std::string("second"));

  EXPECT_EQ(read_text(folder.path() / "a.nii.gz"), "second");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(Files, AFailedWriteLeavesTheOldFileAndNothingElse) {
  const test::TemporaryFolder folder;
  write_atomically(folder.path() / "a", std::string("old"));

  EXPECT_THROW(write_atomically(folder.path() / "a",
                                [](const fs::path& temporary) {
                                  write_atomically(temporary, std::string("half"));
                                  throw DataError("the disk is full");
                                }),
               DataError);

  EXPECT_EQ(read_text(folder.path() / "a"), "old");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(Files, MissingFilesAndFoldersAreNamed) {
  try {
    read_text("/nonexistent/file");
    FAIL();
  } catch (const DataError& e) {
    EXPECT_NE(std::string(e.what()).find("/nonexistent/file"), std::string::npos);
  }
  EXPECT_THROW(make_writable_directory("/proc/hepar"), DataError);
}

// Value of the reference implementation for the empty input and seed 0.
TEST(Files, HashIsXxh64) {
  EXPECT_EQ(to_hex(xxh64(std::string())), "ef46db3751d8e999");
  Xxh64 pieces;
  const std::string text = "in two pieces";
  pieces.update(std::as_bytes(std::span(text).first(5)));
  pieces.update(std::as_bytes(std::span(text).subspan(5)));
  EXPECT_EQ(pieces.digest(), xxh64(text));
}

TEST(Files, JsonErrorsNameFileAndKey) {
  const test::TemporaryFolder folder;
  write_atomically(folder.path() / "x.json", std::string("{\"a\": 1,}"));

  EXPECT_THROW(read_json(folder.path() / "x.json"), DataError);
  try {
    json_get<int>(Json{{"a", "text"}}, "a", "x.json");
    FAIL();
  } catch (const DataError& e) {
    EXPECT_NE(std::string(e.what()).find("x.json: key 'a'"), std::string::npos);
  }
}

TEST(Files, ParallelForVisitsEveryIndexOnceAndRethrows) {
  std::vector<std::atomic<int>> visits(1000);

  parallel_for(1000, 4, [&](std::int64_t i) { ++visits[static_cast<std::size_t>(i)]; });

  EXPECT_TRUE(std::all_of(visits.begin(), visits.end(), [](const auto& n) { return n == 1; }));
  EXPECT_THROW(parallel_for(100, 4, [](std::int64_t i) { require<DataError>(i != 50, "fifty"); }),
               DataError);
}

TEST(Files, NearestWordAndTables) {
  EXPECT_EQ(nearest("trian", {"train", "plan"}), "train");
  EXPECT_EQ(nearest("zzzzzz", {"train", "plan"}), "");
  EXPECT_EQ(format_table({{"a", "bb"}, {"ccc", "±"}}), "a    bb\n-------\nccc  ±\n");
}

}  // namespace
}  // namespace hepar
