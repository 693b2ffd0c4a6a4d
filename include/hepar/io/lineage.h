#pragma once
#include <hepar/core/json.h>

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace hepar {

/// What of a case went into something.
enum class CaseUse { kImage, kMask, kStage };

/// A case as lineage knows it: two of them are the same when they share the voxels of an image, or
/// are one id of one cohort. Where a cohort is unknown (a folder of NIfTI files), the id decides.
struct CaseIdentity {
  std::string cohort;            ///< manifest_hash(); empty: unknown
  std::string case_id;           ///< of the cohort
  std::set<std::string> images;  ///< xxh64 of the canonical stored voxels; empty: unknown
};

/// Which cases something was made from, through all its ancestors (PROTOCOL §2).
class Lineage {
 public:
  void add(const CaseIdentity& item, CaseUse use);
  void merge(const Lineage& other);

  /// Whether `item` went into it in this way.
  [[nodiscard]] bool uses(const CaseIdentity& item, CaseUse use) const;
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t count(CaseUse use) const;

  /// [{"cohort", "case", "use", "images"}, …], sorted.
  [[nodiscard]] Json to_json() const;
  /// Throws DataError "WHERE: …".
  static Lineage from_json(const Json& entries, const std::string& where);

  friend bool operator==(const Lineage&, const Lineage&) = default;

 private:
  using Key = std::tuple<std::string, std::string, CaseUse>;  ///< cohort, case, use
  std::map<Key, std::set<std::string>> entries_;              ///< -> hashes of its images
};

/// FOLDER/lineage.json: {"format": 1, "uses": […]}.
void write_lineage(const std::filesystem::path& folder, const Lineage& lineage);
/// Empty when the folder has none. Throws DataError naming file and field.
std::optional<Lineage> read_lineage(const std::filesystem::path& folder);

/// Whether one of the list is `item`.
bool contains(const std::vector<CaseIdentity>& list, const CaseIdentity& item);

Json to_json(const CaseIdentity& item);
CaseIdentity case_identity_from_json(const Json& json, const std::string& where);

}  // namespace hepar
