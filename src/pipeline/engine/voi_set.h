#pragma once
#include <hepar/io/prepared_writer.h>
#include <hepar/pipeline/voi.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// One sequence of a case on its cubic grid, ready to be cropped.
struct VoiSource {
  PreparedCase record;  ///< who it is: ids, patient, domain, split, stage, hashes
  std::function<Image<float>()> image;
  std::function<LabelImage()> mask;                  ///< the segmenter's
  std::function<std::optional<LabelImage>()> truth;  ///< on the same grid, where there is one
};

/// A line of audit.csv.
struct VoiAudit {
  std::string case_id, sequence, domain, split;
  std::string mask, carried_from, flags;
  MaskFigures figures;
  SizeVox box;
  /// Against the true mask; recall is of the box, kept is what max_size left of it.
  std::optional<double> dsc, recall, kept;
};
Json to_json(const VoiAudit& audit);
VoiAudit voi_audit_from_json(const Json& json, const std::string& where);

/// Crops the sequences of one case into a shard. Returns what was written and the audit.
struct WrittenVois {
  std::vector<PreparedCase> records;
  std::vector<VoiAudit> audit;
};
WrittenVois write_vois(const std::vector<VoiSource>& sequences, const VoiRule& rule, int threads,
                       PreparedShardWriter& shard);

/// audit.csv, sorted by case and sequence.
std::string audit_csv(const std::vector<VoiAudit>& audit);
/// A table: by sequence how many volumes have which mask, mean DSC, and the share whose box holds
/// at least 95 % of the true liver; `kept` is the mean share of it after max_size.
std::string audit_summary(const std::vector<VoiAudit>& audit);

}  // namespace hepar
