#include <algorithm>

#include "hepar/core/error.h"
#include "hepar/io/manifest.h"
#include "hepar/io/prepared_set.h"
#include "json_fields.h"
#include "record_fields.h"

namespace hepar {

namespace {

constexpr std::int64_t kMaxChannels = 1024;
constexpr std::int64_t kMaxPosition = 1 << 30;
constexpr std::int64_t kMaxVoxels = std::int64_t{1} << 40;

Json to_json(SizeVox size) { return {size.z, size.y, size.x}; }
Json to_json(OffsetVox at) { return {at.z, at.y, at.x}; }

SizeVox size_from_json(const JsonFields& fields, const std::string& key) {
  const std::vector<std::int64_t> size = fields.integers(key, 3, {1, kMaxAxis});
  return {size[0], size[1], size[2]};
}

void read_identity(const JsonFields& fields, PreparedCase& record) {
  record.case_id = fields.name("case_id");
  record.sequence = fields.text("sequence");
  record.patient = fields.name("patient");
  record.domain = fields.text("domain");
  record.split = fields.text("split");
  if (fields.has("stage")) {
    record.stage = static_cast<int>(fields.integer("stage", {1, 4}));
  }
  record.label = label_kind_from_json(fields, "label");
}

void read_arrays(const JsonFields& fields, PreparedCase& record) {
  record.size = size_from_json(fields, "size");
  if (count(record.size) > kMaxVoxels) {
    fields.fail("size", "at most " + std::to_string(kMaxVoxels) + " voxels");
  }
  const std::size_t channels = fields.array("slope").size();
  if (channels == 0 || channels > static_cast<std::size_t>(kMaxChannels)) {
    fields.fail("slope", "one number a channel");
  }
  record.slope = fields.numbers("slope", channels);
  record.intercept = fields.numbers("intercept", channels);
  if (std::any_of(record.slope.begin(), record.slope.end(), [](double s) { return s <= 0; })) {
    fields.fail("slope", "numbers above 0");
  }
  record.has_labels = fields.boolean("has_labels");
  record.shard = static_cast<int>(fields.integer("shard", {0, kMaxShards - 1}));
  record.position = static_cast<int>(fields.integer("position", {0, kMaxPosition}));
  record.image_hash = fields.hash("image_hash");
  if (record.has_labels) {
    record.labels_hash = fields.hash("labels_hash");
  }
  if (fields.has("source_hashes")) {  // sets made before lineage was kept have none
    for (const Json& hash : fields.array("source_hashes")) {
      if (!hash.is_string()) {
        fields.fail("source_hashes", "a list of xxh64");
      }
      record.source_hashes.push_back(hash.get<std::string>());
    }
  }
}

void read_label_counts(const JsonFields& fields, PreparedCase& record) {
  const JsonFields counts(fields.object("label_counts"), fields.where() + ": label_counts");
  std::int64_t sum = 0;
  for (const auto& [text, unused] : fields.object("label_counts").items()) {
    const bool is_number = !text.empty() && text.size() <= 3 &&
                           text.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number || std::stoi(text) > 127 || std::to_string(std::stoi(text)) != text) {
      counts.fail(text, "a label from 0 to 127 as key");
    }
    const std::int64_t voxels = counts.integer(text, {1, count(record.size)});
    record.label_counts[std::stoi(text)] = voxels;
    sum += voxels;
  }
  if (sum > count(record.size) || (!record.has_labels && sum > 0)) {
    fields.fail("label_counts", "no more voxels than the case has labelled");
  }
}

void read_geometry(const JsonFields& fields, PreparedCase& record) {
  record.canonical = grid_from_json(fields.object("canonical"), fields.where() + ": canonical");
  record.transpose = axes_from_json(fields, "transpose");
  record.source_axis = axes_from_json(fields, "source_axis");
  record.flipped = flips_from_json(fields, "flipped");
  const JsonFields crop(fields.object("crop"), fields.where() + ": crop");
  const std::vector<std::int64_t> start = crop.integers("start", 3, {0, kMaxAxis});
  record.crop = {{start[0], start[1], start[2]}, size_from_json(crop, "size")};
  for (int axis = 0; axis < 3; ++axis) {
    const std::int64_t whole =
        record.canonical.size[record.transpose[static_cast<std::size_t>(axis)]];
    if (record.crop.start[axis] + record.crop.size[axis] > whole) {
      fields.fail("crop", "a box inside the transposed canonical grid");
    }
  }
}

}  // namespace

Json to_json(const PreparedCase& record) {
  Json json{
      {"id", record.id},           {"case_id", record.case_id},    {"sequence", record.sequence},
      {"patient", record.patient}, {"domain", record.domain},      {"split", record.split},
      {"stage", nullptr},          {"label", record.label},        {"size", to_json(record.size)},
      {"slope", record.slope},     {"intercept", record.intercept}};
  if (record.stage) {
    json["stage"] = *record.stage;
  }
  json["has_labels"] = record.has_labels;
  json["label_counts"] = Json::object();
  for (const auto& [label, voxels] : record.label_counts) {
    json["label_counts"][std::to_string(label)] = voxels;
  }
  json["canonical"] = grid_to_json(record.canonical);
  json["crop"] = {{"start", to_json(record.crop.start)}, {"size", to_json(record.crop.size)}};
  json["transpose"] = record.transpose;
  json["source_axis"] = record.source_axis;
  json["flipped"] = record.flipped;
  json["shard"] = record.shard;
  json["position"] = record.position;
  json["image_hash"] = record.image_hash;
  json["labels_hash"] = record.labels_hash;
  json["source_hashes"] = record.source_hashes;
  return json;
}

PreparedCase prepared_case_from_json(const Json& json, const std::string& where) {
  PreparedCase record;
  record.id = JsonFields(json, where).name("id");
  const JsonFields fields(json, where + ": case '" + record.id + "'");
  read_identity(fields, record);
  read_arrays(fields, record);
  read_label_counts(fields, record);
  read_geometry(fields, record);
  return record;
}

}  // namespace hepar
