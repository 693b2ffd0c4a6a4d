#include "prepared_index.h"

#include <algorithm>
#include <set>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "json_fields.h"

namespace hepar {

namespace {

constexpr int kFormat = 1;

Json to_json(const PreparedIndex& index) {
  Json json{{"format", kFormat},
            {"tool_version", index.tool_version},
            {"source_hash", index.source_hash},
            {"plan_hash", to_hex(xxh64(index.plan_yaml))},
            {"provenance", index.provenance},
            {"labels", Json::object()},
            {"cases", Json::array()}};
  for (const auto& [label, value] : index.labels) {
    json["labels"][label] = value;
  }
  for (const PreparedCase& record : index.cases) {
    json["cases"].push_back(to_json(record));
  }
  return json;
}

void check_cases(const std::vector<PreparedCase>& cases, const std::string& where) {
  std::set<std::pair<int, int>> places;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string place = where + ": case '" + cases[i].id + "'";
    require<DataError>(
        cases[i].slope.size() == cases.front().slope.size(),
        place + ": key 'slope': wanted " + std::to_string(cases.front().slope.size()) +
            " channels as the first case, found " + std::to_string(cases[i].slope.size()));
    require<DataError>(places.emplace(cases[i].shard, cases[i].position).second,
                       place + ": key 'position': another case is at this place of shard " +
                           std::to_string(cases[i].shard));
    if (i > 0) {
      require<DataError>(cases[i - 1].id != cases[i].id,
                         where + ": key 'cases': two cases have the id '" + cases[i].id + "'");
      require<DataError>(cases[i - 1].id < cases[i].id,
                         place + ": key 'cases': wanted cases sorted by id");
    }
  }
}

PreparedIndex index_from_json(const Json& json, std::string plan_yaml, const std::string& where) {
  const JsonFields fields(json, where);
  static_cast<void>(fields.integer("format", {kFormat, kFormat}));
  PreparedIndex index;
  index.tool_version = fields.text("tool_version");
  index.source_hash = fields.text("source_hash");
  index.labels = labels_from_json(fields, "labels");
  index.provenance = fields.has("provenance") ? fields.object("provenance") : Json::object();
  index.plan_yaml = std::move(plan_yaml);
  const std::string found = to_hex(xxh64(index.plan_yaml));
  require<DataError>(fields.hash("plan_hash") == found,
                     where + ": key 'plan_hash': wanted " + found +
                         ", that of the plan.yaml beside it, found " + fields.hash("plan_hash") +
                         "; plan.yaml was changed after preparing: prepare again");
  for (const Json& record : fields.array("cases")) {
    index.cases.push_back(prepared_case_from_json(record, where));
  }
  check_cases(index.cases, where);
  return index;
}

}  // namespace

PreparedIndex read_prepared_index(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "prepared.json";
  const Json json = read_json(path);
  return index_from_json(json, read_text(folder / "plan.yaml"), path.string());
}

void write_prepared_index(const std::filesystem::path& folder, PreparedIndex index) {
  const std::filesystem::path path = folder / "prepared.json";
  std::sort(index.cases.begin(), index.cases.end(),
            [](const PreparedCase& p, const PreparedCase& q) { return p.id < q.id; });
  const Json json = to_json(index);
  // What cannot be read back is refused now, by the same rules, with the case named.
  index_from_json(json, index.plan_yaml, path.string());
  write_atomically(folder / "plan.yaml", index.plan_yaml);
  write_json_checked(path, json);
}

std::string prepared_dataset(const PreparedCase& record, const std::string& array) {
  return "/cases/" + std::to_string(record.position) + "/" + array;
}

}  // namespace hepar
