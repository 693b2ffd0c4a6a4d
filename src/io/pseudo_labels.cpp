#include "hepar/io/pseudo_labels.h"

#include <algorithm>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "json_fields.h"

namespace hepar {

namespace {

constexpr int kFormat = 1;
constexpr std::int64_t kMaxVoxels = std::int64_t{1} << 40;

}  // namespace

const PseudoLabel* PseudoLabelSet::find(const std::string& case_id,
                                        const std::string& sequence) const {
  const auto found = std::find_if(cases.begin(), cases.end(), [&](const PseudoLabel& label) {
    return label.case_id == case_id && label.sequence == sequence;
  });
  return found == cases.end() || !found->dropped.empty() ? nullptr : &*found;
}

Json to_json(const PseudoLabel& label) {
  return {{"case", label.case_id},    {"sequence", label.sequence},     {"file", label.file},
          {"hash", label.hash},       {"confidence", label.confidence}, {"voxels", label.voxels},
          {"ignored", label.ignored}, {"dropped", label.dropped}};
}

PseudoLabel pseudo_label_from_json(const Json& json, const std::string& where) {
  PseudoLabel label;
  label.case_id = JsonFields(json, where).name("case");
  const JsonFields fields(json, where + ": case '" + label.case_id + "'");
  label.sequence = fields.name("sequence");
  label.file = fields.inner_path("file");
  label.hash = fields.hash("hash");
  label.confidence = fields.number("confidence");
  label.voxels = fields.integer("voxels", {0, kMaxVoxels});
  label.ignored = fields.integer("ignored", {0, kMaxVoxels});
  label.dropped = fields.text("dropped");
  return label;
}

PseudoLabelSet read_pseudo_labels(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "labels.json";
  const Json json = read_json(file);
  const JsonFields fields(json, file.string());
  static_cast<void>(fields.integer("format", {kFormat, kFormat}));
  PseudoLabelSet set;
  set.cohort_hash = fields.hash("cohort_hash");
  set.plan_hash = fields.hash("plan_hash");
  set.labels = labels_from_json(fields, "labels");
  set.teachers = fields.array("teachers");
  set.options = fields.object("options");
  for (const Json& item : fields.array("cases")) {
    set.cases.push_back(pseudo_label_from_json(item, file.string()));
  }
  return set;
}

void write_pseudo_labels(const std::filesystem::path& folder, const PseudoLabelSet& set) {
  Json json{
      {"format", kFormat},          {"kind", "pseudo-labels"},  {"cohort_hash", set.cohort_hash},
      {"plan_hash", set.plan_hash}, {"teachers", set.teachers}, {"options", set.options},
      {"labels", set.labels},       {"cases", Json::array()}};
  for (const PseudoLabel& label : set.cases) {
    json["cases"].push_back(to_json(label));
  }
  write_json_checked(folder / "labels.json", json);
}

std::string pseudo_labels_hash(const PseudoLabelSet& set) {
  Json identity{set.cohort_hash, set.labels};
  for (const PseudoLabel& label : set.cases) {
    if (label.dropped.empty()) {
      identity.push_back({label.case_id, label.sequence, label.hash});
    }
  }
  return to_hex(xxh64(identity.dump()));
}

}  // namespace hepar
