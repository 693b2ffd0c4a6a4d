#pragma once
#include <hepar/io/prepared_set.h>
#include <hepar/io/shard.h>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hepar {

/// One case as `preprocess` leaves it, on its way into a shard.
struct PreparedSample {
  /// The caller fills id, case_id, sequence, patient, domain, split, stage, label, size, canonical,
  /// crop, transpose, source_axis, flipped. The writer fills the rest: slope, intercept,
  /// has_labels, label_counts, shard, position and the hashes.
  PreparedCase record;
  std::vector<std::span<const float>> channels;  ///< each count(record.size), finite values
  std::span<const std::int16_t> labels;          ///< empty, or count(record.size) of −1…127
};

/// How a channel is stored: real = stored · slope + intercept, stored in −32768…32767.
struct Quantisation {
  double slope = 1, intercept = 0;
};

/// The finest linear int16 code that holds every value of one channel: slope = (max − min) / 65534,
/// so that the rounding error is at most slope / 2. A constant channel is stored as zeros (slope 1,
/// intercept = the constant). Throws DataError "WHERE: …" when a value is not finite.
Quantisation quantisation_of(std::span<const float> values, const std::string& where);

/// Chunks of prepared arrays: 32×64×64 voxels clipped to the array, one channel a chunk.
std::vector<std::int64_t> prepared_chunk(SizeVox size);

/// Positions kept of a label with `voxels` voxels (segmentation.md §1.9): min(10 000, n), at least
/// 1 % of n.
std::int64_t foreground_quota(std::int64_t voxels);

/// "shards/shard-00007.h5", relative to the set's folder.
std::string shard_file_name(int shard);

/// Writes one shard of a prepared set, FOLDER/shards/shard-NNNNN.h5, LZ4 + bitshuffle. The file has
/// its final name only after close(); a writer destroyed without close() leaves nothing. Same
/// samples in the same order: same bytes, for any number of threads.
class PreparedShardWriter {
 public:
  struct Options {
    std::filesystem::path
        folder;       ///< the set's folder (or its .partial); "shards" is made when missing
    int shard = 0;    ///< number of the shard
    int threads = 1;  ///< that compress
  };
  explicit PreparedShardWriter(const Options& options);
  ~PreparedShardWriter();
  PreparedShardWriter(const PreparedShardWriter&) = delete;
  PreparedShardWriter& operator=(const PreparedShardWriter&) = delete;
  PreparedShardWriter(PreparedShardWriter&&) = delete;
  PreparedShardWriter& operator=(PreparedShardWriter&&) = delete;

  /// Writes the arrays of one case and returns its finished record. Throws DataError naming the
  /// case: a value that is not finite, a label outside −1…127; ShapeError when a span has another
  /// length.
  PreparedCase write(const PreparedSample& sample);
  /// Flush, fsync, rename. Throws DataError (full disk, …).
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What is known about a prepared set as a whole.
struct PreparedIndex {
  std::string tool_version;
  std::string source_hash;            ///< manifest_hash of the cohort it was prepared from
  std::map<std::string, int> labels;  ///< name -> value, background 0
  std::string plan_yaml;              ///< text of plan.yaml
  std::vector<PreparedCase> cases;    ///< any order; written sorted by id
  /// How it was made, for readers: source, label map, normalisation, pseudo-labels.
  Json provenance = Json::object();
};

/// Writes FOLDER/plan.yaml, then FOLDER/prepared.json. Throws DataError when two cases have one id
/// or differ in their number of channels.
void write_prepared_index(const std::filesystem::path& folder, PreparedIndex index);

}  // namespace hepar
