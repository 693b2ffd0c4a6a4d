#include "hepar/io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/json.h"
#include "hepar/core/random.h"
#include "support/temporary.h"

namespace hepar {
namespace {

/// A file with this header and this many bytes of data.
std::vector<std::byte> file_of(const std::string& header, std::size_t data,
                               std::int64_t claimed = -1) {
  std::vector<std::byte> bytes;
  const std::uint64_t length = claimed < 0 ? header.size() : static_cast<std::uint64_t>(claimed);
  for (int i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<std::byte>(length >> (8 * i)));
  }
  const auto text = std::as_bytes(std::span(header));
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.resize(bytes.size() + data);
  return bytes;
}

std::string refusal(const std::vector<std::byte>& bytes) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "w.safetensors";
  write_atomically(path, std::span<const std::byte>(bytes));
  try {
    read_safetensors(path);
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr(path.string()));
    return e.what();
  }
  return "";
}

TEST(Safetensors, ReadsBackWhatWasWritten) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "w.safetensors";
  const std::vector<float> weight{1.5F, -2, 3, 4, 5, 6};
  const std::vector<std::int64_t> step{42};

  const std::uint64_t hash =
      write_safetensors(path,
                        {{"z.weight", "F32", {2, 3}, std::as_bytes(std::span(weight))},
                         {"a.step", "I64", {}, std::as_bytes(std::span(step))},
                         {"empty", "F16", {0, 5}, {}}},
                        {{"code", "abc"}});
  const SafetensorsFile read = read_safetensors(path);

  ASSERT_EQ(read.tensors.size(), 3U);
  EXPECT_EQ(hash, xxh64(read_bytes(path)));
  EXPECT_EQ(read.metadata, (std::map<std::string, std::string>{{"code", "abc"}}));
  EXPECT_EQ(read.tensors[0].name, "z.weight");
  EXPECT_EQ(read.tensors[0].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(std::memcmp(read.tensors[0].data.data(), weight.data(), 24), 0);
  EXPECT_TRUE(std::any_of(read.tensors.begin(), read.tensors.end(), [](const RawTensor& t) {
    return t.name == "a.step" && t.shape.empty() && t.data.size() == 8;
  }));
}

TEST(Safetensors, HeaderIsPaddedSoThatDataAreAligned) {
  const test::TemporaryFolder folder;
  for (const std::string name :
       {"a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh"}) {
    const fs::path path = folder.path() / "w.safetensors";
    const std::vector<std::int64_t> value{1};
    write_safetensors(path, {{name, "I64", {1}, std::as_bytes(std::span(value))}}, {});

    EXPECT_EQ(fs::file_size(path) % 8, 0U);
    EXPECT_EQ(refusal(read_bytes(path)), "");
  }
}

struct BadFile {
  const char* header;
  std::size_t data;
  const char* message;
};
void PrintTo(const BadFile& file, std::ostream* out) { *out << file.header; }

class BadSafetensors : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadSafetensors, IsRefusedWithItsReason) {
  EXPECT_THAT(refusal(file_of(GetParam().header, GetParam().data)),
              ::testing::HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Every, BadSafetensors,
    ::testing::Values(
        BadFile{"{", 0, "not valid JSON"}, BadFile{"[]", 0, "not a JSON object"},
        BadFile{"{\"a\":1}", 0, "tensor 'a'"},
        BadFile{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7,
                "reaches to byte 8 of 7"},
        BadFile{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9,
                "after the last tensor"},
        BadFile{R"({"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})", 8, "key 'dtype'"},
        BadFile{R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8,
                "key 'data_offsets'"},
        BadFile{R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8, "key 'shape'"},
        BadFile{R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8, "key 'shape'"},
        BadFile{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8,
                "key 'data_offsets'"},
        BadFile{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", 8, "key 'data_offsets'"},
        BadFile{R"({"a":{"dtype":"F32","shape":[2]}})", 8, "data_offsets"},
        BadFile{R"({"a":{"dtype":"I64","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0,
                "key 'data_offsets'"},
        BadFile{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                R"("b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})",
                7, "overlaps"},
        BadFile{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                R"("b":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}})",
                9, "gap"},
        BadFile{R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                R"("a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                8, "twice"},
        BadFile{R"({"__metadata__":{"a":1}})", 0, "__metadata__"},
        BadFile{R"({"__metadata__":3})", 0, "__metadata__"}));

TEST(Safetensors, WrongHeaderLengthsAreRefused) {
  EXPECT_THAT(refusal({}), ::testing::HasSubstr("too short"));
  EXPECT_THAT(refusal(file_of("{}", 0, 3)), ::testing::HasSubstr("header wants 3 bytes"));
  EXPECT_THAT(refusal(file_of("{}", 0, INT64_MAX)), ::testing::HasSubstr("header wants"));
  EXPECT_THAT(refusal(file_of(std::string(100000, '['), 0)), ::testing::HasSubstr("nested"));
}

TEST(Safetensors, AMillionNamesAreReadInReasonableTime) {
  std::string header = "{\"__metadata__\":{";
  for (int i = 0; i < 300000; ++i) {
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"\"";
  }
  EXPECT_EQ(refusal(file_of(header + "}}", 0)), "");
}

TEST(Safetensors, RandomDamageNeverReadsOutside) {
  const std::string header =
      R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
      R"("b":{"dtype":"U8","shape":[4],"data_offsets":[16,20]}})";
  const std::vector<std::byte> good = file_of(header, 20);
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "w.safetensors";
  RandomStream random({.seed = 2});
  for (int round = 0; round < 3000; ++round) {
    auto bad = good;
    for (int i = 0; i < 1 + round % 3; ++i) {
      bad[static_cast<std::size_t>(random.integer(static_cast<std::int64_t>(bad.size())))] =
          static_cast<std::byte>(random.next_u32());
    }
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bad.data()), static_cast<std::streamsize>(bad.size()));
    try {
      const SafetensorsFile read = read_safetensors(path);
      for (const RawTensor& tensor : read.tensors) {
        xxh64(tensor.data);  // the sanitizer build sees any byte outside
      }
    } catch (const DataError&) {
    }
  }
}

TEST(Safetensors, WritingRefusesWhatItCouldNotRead) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "w.safetensors";
  const std::vector<float> two{1, 2};
  const auto bytes = std::as_bytes(std::span(two));

  EXPECT_THROW(write_safetensors(path, {{"a", "F32", {3}, bytes}}, {}), ShapeError);
  EXPECT_THROW(write_safetensors(path, {{"a", "F31", {2}, bytes}}, {}), ShapeError);
  EXPECT_THROW(write_safetensors(path, {{"a", "F32", {2}, bytes}, {"a", "F32", {2}, bytes}}, {}),
               ShapeError);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

}  // namespace
}  // namespace hepar
