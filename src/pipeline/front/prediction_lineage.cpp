#include <hepar/pipeline/prediction_lineage.h>

#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/core/text.h>

#include <algorithm>
#include <map>
#include <set>

namespace hepar {
namespace {

constexpr int kFormat = 1;

Json to_json(const PredictionGroup& group) {
  Json json{{"models", group.models}, {"cases", Json::array()}, {"uses", group.lineage.to_json()}};
  for (const PredictedCase& item : group.cases) {
    Json entry = hepar::to_json(item.identity);
    entry["name"] = item.name;
    json["cases"].push_back(entry);
  }
  return json;
}

PredictionGroup group_from_json(const Json& json, const std::string& where) {
  PredictionGroup group;
  group.models = json_get<std::vector<std::string>>(json, "models", where);
  for (const Json& item : json_get<std::vector<Json>>(json, "cases", where)) {
    group.cases.push_back(
        {json_get<std::string>(item, "name", where), case_identity_from_json(item, where)});
  }
  group.lineage = Lineage::from_json(json_get<Json>(json, "uses", where), where);
  return group;
}

std::map<std::string, std::pair<const PredictionGroup*, const PredictedCase*>> by_name(
    const std::vector<PredictionGroup>& groups) {
  std::map<std::string, std::pair<const PredictionGroup*, const PredictedCase*>> found;
  for (const PredictionGroup& group : groups) {
    for (const PredictedCase& item : group.cases) {
      found[item.name] = {&group, &item};
    }
  }
  return found;
}

void refuse_other_models(const std::vector<PredictionGroup>& known,
                         const std::vector<PredictionGroup>& added, const fs::path& folder) {
  const auto before = by_name(known);
  std::vector<std::string> names;
  for (const PredictionGroup& group : added) {
    for (const PredictedCase& item : group.cases) {
      const auto found = before.find(item.name);
      const bool same = found == before.end() || (found->second.first->models == group.models &&
                                                  found->second.first->lineage == group.lineage);
      if (!same) {
        names.push_back(item.name);
      }
    }
  }
  require<ConfigError>(names.empty(), folder.string() + ": holds masks that other models made of " +
                                          join(names, ", ") + "; choose another --out");
}

}  // namespace

std::vector<PredictionGroup> read_prediction_lineage(const std::filesystem::path& folder) {
  const fs::path file = folder / "lineage.json";
  if (!fs::exists(file)) {
    return {};
  }
  const Json json = read_json(file);
  const auto format = json_get<int>(json, "format", file.string());
  require<DataError>(format == kFormat,
                     file.string() + ": wanted format 1, found " + std::to_string(format));
  std::vector<PredictionGroup> groups;
  for (const Json& group : json_get<std::vector<Json>>(json, "groups", file.string())) {
    groups.push_back(group_from_json(group, file.string()));
  }
  return groups;
}

void add_prediction_lineage(const std::filesystem::path& folder,
                            const std::vector<PredictionGroup>& groups) {
  std::vector<PredictionGroup> all = read_prediction_lineage(folder);
  refuse_other_models(all, groups, folder);
  for (const PredictionGroup& added : groups) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const PredictionGroup& group) {
      return group.models == added.models && group.lineage == added.lineage;
    });
    if (same == all.end()) {
      all.push_back(added);
      continue;
    }
    std::map<std::string, CaseIdentity> cases;
    for (const std::vector<PredictedCase>& list : {same->cases, added.cases}) {
      for (const PredictedCase& item : list) {
        cases[item.name].cohort = item.identity.cohort;
        cases[item.name].case_id = item.identity.case_id;
        cases[item.name].images.insert(item.identity.images.begin(), item.identity.images.end());
      }
    }
    same->cases.clear();
    for (const auto& [name, identity] : cases) {
      same->cases.push_back({name, identity});
    }
  }
  Json json{{"format", kFormat}, {"groups", Json::array()}};
  for (const PredictionGroup& group : all) {
    json["groups"].push_back(to_json(group));
  }
  write_json(folder / "lineage.json", json);
}

Json check_prediction_lineage(const std::filesystem::path& folder,
                              const std::vector<std::string>& scored) {
  const std::vector<PredictionGroup> groups = read_prediction_lineage(folder);
  const auto known = by_name(groups);
  std::vector<std::string> seen;
  std::size_t origins = 0, transductive = 0;
  for (const std::string& name : scored) {
    const auto found = known.find(name);
    if (found == known.end()) {
      continue;
    }
    const auto& [group, item] = found->second;
    ++origins;
    transductive += group->lineage.uses(item->identity, CaseUse::kImage) ? 1 : 0;
    if (group->lineage.uses(item->identity, CaseUse::kMask)) {
      seen.push_back(name);
    }
  }
  require<ConfigError>(seen.empty(),
                       folder.string() + ": " + std::to_string(seen.size()) +
                           " scored case(s) went into the models, or into what they were made "
                           "from, with their masks: " +
                           join(seen, ", ") + "; score cases that no ancestor was fitted on");
  return {{"known", origins}, {"transductive", transductive}, {"of", scored.size()}};
}

}  // namespace hepar
