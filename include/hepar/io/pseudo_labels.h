#pragma once
#include <hepar/core/json.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace hepar {

/// The mask a teacher gave one image of a cohort.
struct PseudoLabel {
  std::string case_id, sequence;
  std::string file;          ///< "masks/CASE_SEQUENCE.nii.gz", on the cohort's canonical grid
  std::string hash;          ///< xxh64 of the file
  double confidence = 0;     ///< mean over foreground voxels of the top class's probability
  std::int64_t voxels = 0;   ///< of foreground
  std::int64_t ignored = 0;  ///< voxels given the ignore label
  std::string dropped;       ///< why it is left out; empty: it is used
};

/// SET/labels.json: masks for images of a cohort, which itself is never touched.
struct PseudoLabelSet {
  std::string cohort_hash;            ///< manifest_hash() of the cohort they belong to
  std::string plan_hash;              ///< of the teachers' plan
  std::map<std::string, int> labels;  ///< name -> value, background 0; maybe "ignore"
  std::vector<PseudoLabel> cases;     ///< sorted by case and sequence
  Json teachers = Json::array();      ///< [{"folder", "weights_xxh64"}, …]
  Json options = Json::object();      ///< what they were made with

  /// The label of an image that is used; nullptr when there is none.
  [[nodiscard]] const PseudoLabel* find(const std::string& case_id,
                                        const std::string& sequence) const;
};

/// Throws DataError naming file and field.
PseudoLabelSet read_pseudo_labels(const std::filesystem::path& folder);
void write_pseudo_labels(const std::filesystem::path& folder, const PseudoLabelSet& set);
/// xxh64 over cohort, labels and masks in use: what the labels are.
std::string pseudo_labels_hash(const PseudoLabelSet& set);

Json to_json(const PseudoLabel& label);
PseudoLabel pseudo_label_from_json(const Json& json, const std::string& where);

}  // namespace hepar
