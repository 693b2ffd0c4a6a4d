#include "hepar/io/manifest.h"

#include <algorithm>
#include <cmath>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "json_fields.h"
#include "record_fields.h"

namespace hepar {

namespace {

constexpr int kFormat = 1;
/// How far an axis may be from length 1 and two axes from a right angle: headers hold single
/// precision.
constexpr double kAxisTolerance = 1e-3;

double dot(const WorldMm& p, const WorldMm& q) { return p.r * q.r + p.a * q.a + p.s * q.s; }

Json to_json(const ArrayRecord& record) {
  return {{"dataset", record.dataset},
          {"type", to_string(record.type)},
          {"slope", record.slope},
          {"intercept", record.intercept},
          {"hash", record.hash}};
}

ArrayRecord array_from_json(const Json& json, const std::string& where) {
  const JsonFields fields(json, where);
  ArrayRecord record;
  record.dataset = fields.name("dataset");
  if (record.dataset.front() != '/') {
    fields.fail("dataset", "an HDF5 path that starts with '/'");
  }
  record.type = voxel_type_from(fields.text("type"), where + ": key 'type'");
  record.slope = fields.number("slope");
  if (record.slope == 0) {
    fields.fail("slope", "a number other than 0");
  }
  record.intercept = fields.number("intercept");
  record.hash = fields.hash("hash");
  return record;
}

Json to_json(const SequenceRecord& record) {
  Json json{{"sequence", record.sequence},       {"grid", grid_to_json(record.grid)},
            {"source_axis", record.source_axis}, {"flipped", record.flipped},
            {"image", to_json(record.image)},    {"mask", nullptr},
            {"source_file", record.source_file}, {"notes", record.notes}};
  if (record.mask) {
    json["mask"] = to_json(*record.mask);
  }
  return json;
}

SequenceRecord sequence_from_json(const Json& json, const std::string& outer) {
  SequenceRecord record;
  record.sequence = JsonFields(json, outer).name("sequence");
  const std::string where = outer + ": sequence '" + record.sequence + "'";
  const JsonFields fields(json, where);
  record.grid = grid_from_json(fields.object("grid"), where + ": grid");
  record.source_axis = axes_from_json(fields, "source_axis");
  record.flipped = flips_from_json(fields, "flipped");
  record.image = array_from_json(fields.at("image"), where + ": image");
  if (fields.has("mask")) {
    record.mask = array_from_json(fields.at("mask"), where + ": mask");
  }
  record.source_file = fields.text("source_file");
  for (const Json& note : fields.array("notes")) {
    if (!note.is_string()) {
      fields.fail("notes", "a list of texts");
    }
    record.notes.push_back(note.get<std::string>());
  }
  return record;
}

Json to_json(const CaseRecord& record) {
  Json json{{"id", record.id},         {"patient", record.patient},
            {"domain", record.domain}, {"hospital", record.hospital},
            {"vendor", record.vendor}, {"split", record.split},
            {"stage", nullptr},        {"label", record.label},
            {"shard", record.shard},   {"sequences", Json::array()}};
  if (record.stage) {
    json["stage"] = *record.stage;
  }
  for (const SequenceRecord& sequence : record.sequences) {
    json["sequences"].push_back(to_json(sequence));
  }
  return json;
}

CaseRecord case_from_json(const Json& json, const std::string& outer, std::int64_t shards) {
  CaseRecord record;
  record.id = JsonFields(json, outer).name("id");
  const std::string where = outer + ": case '" + record.id + "'";
  const JsonFields fields(json, where);
  record.patient = fields.name("patient");
  record.domain = fields.text("domain");
  record.hospital = fields.text("hospital");
  record.vendor = fields.text("vendor");
  record.split = fields.text("split");
  if (fields.has("stage")) {
    record.stage = static_cast<int>(fields.integer("stage", {1, 4}));
  }
  record.label = label_kind_from_json(fields, "label");
  record.shard = static_cast<int>(fields.integer("shard", {0, shards - 1}));
  for (const Json& sequence : fields.array("sequences")) {
    record.sequences.push_back(sequence_from_json(sequence, where));
  }
  for (std::size_t i = 1; i < record.sequences.size(); ++i) {
    if (record.sequences[i - 1].sequence >= record.sequences[i].sequence) {
      fields.fail("sequences", "sequences sorted by name, each once");
    }
  }
  return record;
}

std::vector<ShardRecord> shards_from_json(const JsonFields& fields) {
  std::vector<ShardRecord> shards;
  for (const Json& json : fields.array("shards")) {
    const JsonFields shard(json, fields.where() + ": shard " + std::to_string(shards.size()));
    shards.push_back({shard.inner_path("file"), shard.hash("hash")});
  }
  if (shards.size() > static_cast<std::size_t>(kMaxShards)) {
    fields.fail("shards", "at most " + std::to_string(kMaxShards) + " shards");
  }
  return shards;
}

void check_order(const std::vector<CaseRecord>& cases, const std::string& where) {
  for (std::size_t i = 1; i < cases.size(); ++i) {
    require<DataError>(cases[i - 1].id != cases[i].id,
                       where + ": key 'cases': two cases have the id '" + cases[i].id + "'");
    require<DataError>(cases[i - 1].id < cases[i].id,
                       where + ": key 'cases': wanted cases sorted by id, found '" + cases[i].id +
                           "' after '" + cases[i - 1].id + "'");
  }
}

Manifest manifest_from_json(const Json& json, const std::string& where) {
  const JsonFields fields(json, where);
  Manifest manifest;
  manifest.format = static_cast<int>(fields.integer("format", {kFormat, kFormat}));
  manifest.tool_version = fields.text("tool_version");
  manifest.source = fields.text("source");
  manifest.labels = labels_from_json(fields, "labels");
  manifest.shards = shards_from_json(fields);
  const auto shards = static_cast<std::int64_t>(manifest.shards.size());
  for (const Json& record : fields.array("cases")) {
    manifest.cases.push_back(case_from_json(record, where, shards));
  }
  check_order(manifest.cases, where);
  for (const Json& record : fields.array("excluded")) {
    const JsonFields excluded(record, where + ": excluded");
    manifest.excluded.emplace_back(excluded.text("case"), excluded.text("why"));
  }
  return manifest;
}

}  // namespace

Json grid_to_json(const Grid& grid) {
  Json axes = Json::array();
  for (const WorldMm& axis : grid.axis) {
    axes.push_back({axis.r, axis.a, axis.s});
  }
  return {{"size", {grid.size.z, grid.size.y, grid.size.x}},
          {"spacing_mm", {grid.spacing.z, grid.spacing.y, grid.spacing.x}},
          {"origin_mm", {grid.origin.r, grid.origin.a, grid.origin.s}},
          {"axes", axes}};
}

Grid grid_from_json(const Json& json, const std::string& where) {
  const JsonFields fields(json, where);
  const std::vector<std::int64_t> size = fields.integers("size", 3, {1, kMaxAxis});
  const std::vector<double> spacing = fields.numbers("spacing_mm", 3);
  if (*std::min_element(spacing.begin(), spacing.end()) <= 0) {
    fields.fail("spacing_mm", "numbers above 0");
  }
  const std::vector<double> origin = fields.numbers("origin_mm", 3);
  const Json& axes = fields.array("axes");
  if (axes.size() != 3) {
    fields.fail("axes", "three vectors");
  }
  Grid grid;
  grid.size = {size[0], size[1], size[2]};
  grid.spacing = {spacing[0], spacing[1], spacing[2]};
  grid.origin = {origin[0], origin[1], origin[2]};
  for (std::size_t i = 0; i < 3; ++i) {
    const Json named{{"axis", axes[i]}};
    const std::vector<double> axis = JsonFields(named, where + ": axes").numbers("axis", 3);
    grid.axis[i] = {axis[0], axis[1], axis[2]};
  }
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = i; j < 3; ++j) {
      if (std::abs(dot(grid.axis[i], grid.axis[j]) - (i == j ? 1 : 0)) > kAxisTolerance) {
        fields.fail("axes", "unit vectors at right angles");
      }
    }
  }
  return grid;
}

Json to_json(const Manifest& manifest) {
  Json json{{"format", manifest.format}, {"tool_version", manifest.tool_version},
            {"source", manifest.source}, {"labels", Json::object()},
            {"cases", Json::array()},    {"shards", Json::array()},
            {"excluded", Json::array()}};
  for (const auto& [label, value] : manifest.labels) {
    json["labels"][label] = value;
  }
  for (const CaseRecord& record : manifest.cases) {
    json["cases"].push_back(to_json(record));
  }
  for (const ShardRecord& shard : manifest.shards) {
    json["shards"].push_back({{"file", shard.file}, {"hash", shard.hash}});
  }
  for (const auto& [id, why] : manifest.excluded) {
    json["excluded"].push_back({{"case", id}, {"why", why}});
  }
  return json;
}

Manifest read_manifest(const std::filesystem::path& cohort) {
  const std::filesystem::path path = cohort / "manifest.json";
  return manifest_from_json(read_json(path), path.string());
}

void write_manifest(const std::filesystem::path& cohort, const Manifest& manifest) {
  const std::filesystem::path path = cohort / "manifest.json";
  const Json json = to_json(manifest);
  // What cannot be read back is refused now, by the same rules, with the case named.
  manifest_from_json(json, path.string());
  write_json_checked(path, json);
}

std::string manifest_hash(const Manifest& manifest) {
  Manifest data = manifest;
  data.tool_version.clear();
  for (CaseRecord& record : data.cases) {
    for (SequenceRecord& sequence : record.sequences) {
      sequence.source_file.clear();
    }
  }
  for (auto& [id, why] : data.excluded) {
    why.clear();  // may quote the input's path
  }
  return to_hex(xxh64(to_json(data).dump()));
}

}  // namespace hepar
