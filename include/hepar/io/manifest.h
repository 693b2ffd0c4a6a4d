#pragma once
#include <hepar/core/geometry.h>
#include <hepar/core/json.h>
#include <hepar/core/voxel_type.h>
#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// One array inside a shard.
struct ArrayRecord {
  std::string dataset;  ///< HDF5 path: "/cases/<id>/<sequence>/image"
  VoxelType type = VoxelType::kInt16;
  double slope = 1, intercept = 0;  ///< real = stored · slope + intercept
  std::string hash;                 ///< xxh64 of the uncompressed array, hex
};

/// One sequence of one case: an image of its own on its own grid, with its mask where there is one.
struct SequenceRecord {
  std::string sequence;                     ///< "GED4", or the channel name of a one-sequence set
  Grid grid;                                ///< canonical orientation
  std::array<int, 3> source_axis{0, 1, 2};  ///< how the file's axes were moved, to go back
  std::array<bool, 3> flipped{false, false, false};
  ArrayRecord image;
  std::optional<ArrayRecord> mask;
  std::string source_file;         ///< relative to the input folder
  std::vector<std::string> notes;  ///< unusual but accepted
};

/// One examination of one patient.
struct CaseRecord {
  std::string id;
  std::string patient;
  std::string domain, hospital, vendor;  ///< empty when the source does not say
  std::string split;                     ///< train | val | test | …
  std::optional<int> stage;              ///< 1…4
  std::string label = "none";            ///< manual | pseudo | none
  int shard = 0;
  std::vector<SequenceRecord> sequences;  ///< sorted by name
};

struct ShardRecord {
  std::string file;  ///< "shards/shard-00000.h5"
  std::string hash;  ///< xxh64 over its arrays' hashes in order: the shard's index
};

/// COHORT/manifest.json.
struct Manifest {
  int format = 1;
  std::string tool_version;
  std::string source;                 ///< "liqa"
  std::map<std::string, int> labels;  ///< name -> value, background 0
  std::vector<CaseRecord> cases;      ///< sorted by id
  std::vector<ShardRecord> shards;
  std::vector<std::pair<std::string, std::string>> excluded;  ///< (case, why) left out on request
};

/// Throws DataError naming file and field: not JSON, another format version, a missing field, two
/// cases with one id, a shard number out of range.
Manifest read_manifest(const std::filesystem::path& cohort);
Json to_json(const Manifest& manifest);
void write_manifest(const std::filesystem::path& cohort, const Manifest& manifest);
/// xxh64 of the canonical JSON without tool version and source files: what the data are.
std::string manifest_hash(const Manifest& manifest);

Json grid_to_json(const Grid& grid);
Grid grid_from_json(const Json& json, const std::string& where);

}  // namespace hepar
