#include "hepar/io/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "support/temporary.h"

namespace hepar {
namespace {

SequenceRecord sequence(const std::string& name) {
  SequenceRecord record;
  record.sequence = name;
  record.grid.size = {10, 20, 30};
  record.grid.spacing = {3, 1.25, 1.5};
  record.grid.origin = {-12.5, 4, 100};
  record.grid.axis = {{{0, 0, 1}, {0, 0.6, 0.8}, {1, 0, 0}}};
  record.grid.axis[0] = {0, -0.8, 0.6};
  record.source_axis = {2, 0, 1};
  record.flipped = {true, false, true};
  record.image = {"/cases/x/" + name + "/image", VoxelType::kUint16, 0.5, -3, "0123456789abcdef"};
  record.mask =
      ArrayRecord{"/cases/x/" + name + "/mask", VoxelType::kUint8, 1, 0, "fedcba9876543210"};
  record.source_file = "a/b.nii.gz";
  record.notes = {"4-D with a trailing 1"};
  return record;
}

Manifest example() {
  Manifest manifest;
  manifest.tool_version = "1.0";
  manifest.source = "liqa";
  manifest.labels = {{"background", 0}, {"liver", 1}};
  manifest.shards = {{"shards/shard-00000.h5", "00000000000000aa"},
                     {"shards/shard-00001.h5", "00000000000000bb"}};
  CaseRecord first;
  first.id = "case-1";
  first.patient = "p1";
  first.domain = "A";
  first.split = "train";
  first.stage = 4;
  first.label = "manual";
  first.shard = 1;
  first.sequences = {sequence("DWI"), sequence("GED4")};
  CaseRecord second = first;
  second.id = "case-2";
  second.stage.reset();
  second.shard = 0;
  manifest.cases = {first, second};
  manifest.excluded = {{"case-9", "truncated gzip"}};
  return manifest;
}

/// The error of reading `json` as a manifest; empty when it is accepted.
std::string refusal(const Json& json) {
  const test::TemporaryFolder folder;
  write_json(folder.path() / "manifest.json", json);
  try {
    read_manifest(folder.path());
  } catch (const DataError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr((folder.path() / "manifest.json").string()));
    return e.what();
  }
  return "";
}

TEST(Manifest, ComesBackAsItWasWritten) {
  const test::TemporaryFolder folder;
  const Manifest written = example();

  write_manifest(folder.path(), written);
  const Manifest read = read_manifest(folder.path());

  EXPECT_EQ(to_json(read), to_json(written));
  EXPECT_EQ(read.cases[0].sequences[1].grid, written.cases[0].sequences[1].grid);
  EXPECT_EQ(read.cases[0].stage, 4);
  EXPECT_FALSE(read.cases[1].stage.has_value());
  EXPECT_EQ(read.cases[0].sequences[0].image.type, VoxelType::kUint16);
  EXPECT_EQ(read.cases[0].sequences[0].source_axis, (std::array<int, 3>{2, 0, 1}));
  EXPECT_EQ(read.cases[0].sequences[0].flipped, (std::array<bool, 3>{true, false, true}));
  EXPECT_EQ(read.excluded, written.excluded);
}

TEST(Manifest, HashIsOfTheDataAndNotOfToolOrSourcePaths) {
  Manifest other = example();
  other.tool_version = "2.0";
  other.cases[0].sequences[0].source_file = "elsewhere.nii";
  EXPECT_EQ(manifest_hash(other), manifest_hash(example()));

  other.cases[0].sequences[0].image.hash = "1111111111111111";
  EXPECT_NE(manifest_hash(other), manifest_hash(example()));
}

struct Damage {
  const char* pointer;  ///< which value is replaced
  Json value;
  const char* message;
};
void PrintTo(const Damage& damage, std::ostream* out) {
  *out << damage.pointer << " = " << damage.value;
}

class ManifestField : public ::testing::TestWithParam<Damage> {};

TEST_P(ManifestField, IsCheckedAndNamed) {
  Json json = to_json(example());
  json.at(Json::json_pointer(GetParam().pointer)) = GetParam().value;

  EXPECT_THAT(refusal(json), ::testing::HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Every, ManifestField,
    ::testing::Values(
        Damage{"/format", 2, "key 'format'"}, Damage{"/labels", 5, "key 'labels'"},
        Damage{"/labels/liver", 0, "key 'liver'"}, Damage{"/labels/liver", 1.5, "key 'liver'"},
        Damage{"/cases", Json::object(), "key 'cases'"},
        Damage{"/cases/0", 7, "wanted a JSON object"}, Damage{"/cases/0/id", "", "key 'id'"},
        Damage{"/cases/0/id", "a\nb", "key 'id'"},
        Damage{"/cases/1/id", "case-1", "two cases have the id 'case-1'"},
        Damage{"/cases/1/id", "a", "sorted by id"},
        Damage{"/cases/0/stage", 5, "case 'case-1': key 'stage'"},
        Damage{"/cases/0/stage", "4", "key 'stage'"},
        Damage{"/cases/0/label", "guess", "key 'label'"},
        Damage{"/cases/0/shard", 2, "key 'shard'"}, Damage{"/cases/0/shard", -1, "key 'shard'"},
        Damage{"/cases/0/shard", 18446744073709551615ULL, "key 'shard'"},
        Damage{"/cases/0/sequences/1/sequence", "DWI", "key 'sequences'"},
        Damage{"/cases/0/sequences/0/grid/size", Json({1, 2}), "grid: key 'size'"},
        Damage{"/cases/0/sequences/0/grid/size/0", 0, "grid: key 'size'"},
        Damage{"/cases/0/sequences/0/grid/spacing_mm/1", 0, "key 'spacing_mm'"},
        Damage{"/cases/0/sequences/0/grid/origin_mm/1", nullptr, "key 'origin_mm'"},
        Damage{"/cases/0/sequences/0/grid/axes/0", Json({0, 0, 2}), "key 'axes'"},
        Damage{"/cases/0/sequences/0/grid/axes/0", Json({1, 0, 0}), "key 'axes'"},
        Damage{"/cases/0/sequences/0/source_axis", Json({0, 1, 1}), "key 'source_axis'"},
        Damage{"/cases/0/sequences/0/flipped", Json({0, 1, 1}), "key 'flipped'"},
        Damage{"/cases/0/sequences/0/image/type", "int12", "int12"},
        Damage{"/cases/0/sequences/0/image/slope", 0, "image: key 'slope'"},
        Damage{"/cases/0/sequences/0/image/hash", "xyz", "image: key 'hash'"},
        Damage{"/cases/0/sequences/0/image/dataset", "cases", "image: key 'dataset'"},
        Damage{"/cases/0/sequences/0/notes", Json({1}), "key 'notes'"},
        Damage{"/shards/0/file", "/etc/passwd", "key 'file'"},
        Damage{"/shards/0/file", "shards/../../x", "key 'file'"},
        Damage{"/excluded/0", "x", "excluded"}));

TEST(Manifest, EveryMissingFieldIsNamed) {
  const Json json = to_json(example());
  const Json flat = json.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    Json damaged = json;
    const Json::json_pointer at(pointer);
    if (pointer.find("/labels/") != std::string::npos ||
        !damaged.at(at.parent_pointer()).is_object() || at.back() == "stage" ||
        at.back() == "mask") {
      continue;
    }
    damaged.at(at.parent_pointer()).erase(at.back());
    EXPECT_THAT(refusal(damaged), ::testing::HasSubstr("key '" + at.back() + "'")) << pointer;
  }
}

TEST(Manifest, WhatIsNotJsonIsRefused) {
  const test::TemporaryFolder folder;
  for (const std::string text : {"", "{", "[1,", "{\"format\": 1e999}", "\xff\xfe", "null"}) {
    write_atomically(folder.path() / "manifest.json", text);
    EXPECT_THROW(read_manifest(folder.path()), DataError) << text;
  }
}

TEST(Manifest, WhatCouldNotBeReadBackIsNotWritten) {
  const test::TemporaryFolder folder;
  Manifest manifest = example();
  manifest.cases[1].id = "case-1";
  EXPECT_THROW(write_manifest(folder.path(), manifest), DataError);

  manifest = example();
  manifest.cases[0].id = "a\xff";
  EXPECT_THROW(write_manifest(folder.path(), manifest), DataError);

  manifest = example();
  manifest.cases[0].sequences[0].image.slope = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(write_manifest(folder.path(), manifest), DataError);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

}  // namespace
}  // namespace hepar
