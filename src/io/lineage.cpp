#include "hepar/io/lineage.h"

#include <algorithm>
#include <array>

#include "hepar/core/error.h"
#include "json_fields.h"

namespace hepar {

namespace {

constexpr int kFormat = 1;
constexpr std::array<const char*, 3> kUses{"image", "mask", "stage"};

const char* to_string(CaseUse use) { return kUses[static_cast<std::size_t>(use)]; }

CaseUse use_from(const JsonFields& fields) {
  const std::string text = fields.text("use");
  const auto* found =
      std::find_if(kUses.begin(), kUses.end(), [&](const char* name) { return text == name; });
  if (found == kUses.end()) {
    fields.fail("use", "image, mask or stage");
  }
  return static_cast<CaseUse>(found - kUses.begin());
}

bool same_case(const CaseIdentity& a, const CaseIdentity& b) {
  const bool comparable = a.cohort == b.cohort || a.cohort.empty() || b.cohort.empty();
  return (comparable && a.case_id == b.case_id) ||
         std::any_of(a.images.begin(), a.images.end(),
                     [&](const std::string& hash) { return b.images.contains(hash); });
}

}  // namespace

void Lineage::add(const CaseIdentity& item, CaseUse use) {
  entries_[{item.cohort, item.case_id, use}].insert(item.images.begin(), item.images.end());
}

void Lineage::merge(const Lineage& other) {
  for (const auto& [key, images] : other.entries_) {
    entries_[key].insert(images.begin(), images.end());
  }
}

bool Lineage::uses(const CaseIdentity& item, CaseUse wanted) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    const auto& [cohort, case_id, use] = entry.first;
    return use == wanted && same_case({cohort, case_id, entry.second}, item);
  });
}

std::size_t Lineage::count(CaseUse wanted) const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(),
                    [&](const auto& entry) { return std::get<CaseUse>(entry.first) == wanted; }));
}

Json Lineage::to_json() const {
  Json list = Json::array();
  for (const auto& [key, images] : entries_) {
    const auto& [cohort, case_id, use] = key;
    list.push_back(
        {{"cohort", cohort}, {"case", case_id}, {"use", to_string(use)}, {"images", images}});
  }
  return list;
}

Lineage Lineage::from_json(const Json& entries, const std::string& where) {
  require<DataError>(entries.is_array(), where + ": wanted a list of uses");
  Lineage lineage;
  for (const Json& entry : entries) {
    lineage.add(case_identity_from_json(entry, where), use_from(JsonFields(entry, where)));
  }
  return lineage;
}

bool contains(const std::vector<CaseIdentity>& list, const CaseIdentity& item) {
  return std::any_of(list.begin(), list.end(),
                     [&](const CaseIdentity& other) { return same_case(other, item); });
}

Json to_json(const CaseIdentity& item) {
  return {{"cohort", item.cohort}, {"case", item.case_id}, {"images", item.images}};
}

CaseIdentity case_identity_from_json(const Json& json, const std::string& where) {
  const JsonFields fields(json, where);
  CaseIdentity item;
  item.cohort = fields.text("cohort");
  item.case_id = fields.name("case");
  for (const Json& hash : fields.array("images")) {
    if (!hash.is_string()) {
      fields.fail("images", "a list of xxh64");
    }
    item.images.insert(hash.get<std::string>());
  }
  return item;
}

void write_lineage(const std::filesystem::path& folder, const Lineage& lineage) {
  write_json_checked(folder / "lineage.json", {{"format", kFormat}, {"uses", lineage.to_json()}});
}

std::optional<Lineage> read_lineage(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "lineage.json";
  if (!std::filesystem::exists(file)) {
    return std::nullopt;
  }
  const Json json = read_json(file);
  const JsonFields fields(json, file.string());
  static_cast<void>(fields.integer("format", {kFormat, kFormat}));
  return Lineage::from_json(fields.array("uses"), file.string());
}

}  // namespace hepar
