#pragma once
#include <hepar/core/geometry.h>
#include <hepar/core/json.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hepar {

/// One prepared sample: the sequence (or channels) of a case, cropped, normalised and resampled by
/// the plan. Sizes in the plan's axis order.
struct PreparedCase {
  std::string id;  ///< case id, or "case/sequence" when a case gives several samples
  std::string case_id, sequence;
  std::string patient, domain, split;
  std::optional<int> stage;
  std::string label = "none";  ///< manual | pseudo | none
  SizeVox size;
  std::vector<double> slope, intercept;  ///< one a channel: value = stored · slope + intercept
  bool has_labels = false;
  std::map<int, std::int64_t> label_counts;  ///< label -> voxels
  // To write an answer back (image/preprocess.h PreparedGeometry):
  Grid canonical;
  BoxVox crop;
  std::array<int, 3> transpose{0, 1, 2};
  std::array<int, 3> source_axis{0, 1, 2};
  std::array<bool, 3> flipped{false, false, false};
  int shard = 0;
  int position = 0;  ///< its number inside the shard: the <n> of /cases/<n>/image
  std::string image_hash, labels_hash;
  /// xxh64 of the cohort's stored voxels, one a channel: whose image this is, whatever the id.
  std::vector<std::string> source_hashes;
};

/// What `hepar-prep prepare` writes: PREPARED/{prepared.json, plan.yaml, shards/}. Arrays per case:
/// /cases/<n>/image [C, z, y, x] int16, /cases/<n>/labels [z, y, x] int8 (−1 outside),
/// /cases/<n>/foreground_<label> [m, 3] int32: positions drawn for oversampling.
class PreparedSet {
 public:
  /// Bytes of decoded chunks a set keeps unless told otherwise: small sets are then decoded once.
  static constexpr std::size_t kDefaultCacheBytes = std::size_t{2} << 30;

  /// Opens for reading; any number of threads may read. Up to `cache_bytes` of decoded chunks are
  /// kept, the least recently used go first; 0 keeps none. Throws DataError naming file and field.
  explicit PreparedSet(const std::filesystem::path& folder,
                       std::size_t cache_bytes = kDefaultCacheBytes);
  ~PreparedSet();
  PreparedSet(const PreparedSet&) = delete;
  PreparedSet& operator=(const PreparedSet&) = delete;
  PreparedSet(PreparedSet&&) noexcept;
  PreparedSet& operator=(PreparedSet&&) = delete;

  [[nodiscard]] const std::filesystem::path& folder() const;
  [[nodiscard]] const std::vector<PreparedCase>& cases() const;  ///< sorted by id
  [[nodiscard]] int channels() const;
  [[nodiscard]] const std::map<std::string, int>& labels() const;  ///< name -> value, background 0
  [[nodiscard]] const std::string& plan_yaml() const;    ///< the plan it was prepared with
  [[nodiscard]] std::string hash() const;                ///< of all arrays: identifies the data
  [[nodiscard]] const std::string& source_hash() const;  ///< manifest_hash() of its cohort

  /// image: C·count(box.size) floats (real, normalised values), labels: count(box.size) or empty.
  /// The box may reach outside the case: there image = 0 and labels = −1 (nnU-Net's padding). A
  /// case without labels gives −1 everywhere. Throws ShapeError on spans of another length,
  /// DataError on a damaged chunk.
  void read_patch(std::size_t index, const BoxVox& box, std::span<float> image,
                  std::span<std::int16_t> labels) const;

  /// Stored voxels of one label, for foreground oversampling; empty when the case has none.
  [[nodiscard]] std::span<const OffsetVox> foreground(std::size_t index, int label) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A record as prepared.json holds it, and back. Throws DataError "WHERE: …" naming the field.
Json to_json(const PreparedCase& record);
PreparedCase prepared_case_from_json(const Json& json, const std::string& where);

}  // namespace hepar
