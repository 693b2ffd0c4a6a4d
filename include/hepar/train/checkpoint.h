#pragma once
#include <hepar/core/json.h>
#include <hepar/train/lease.h>
#include <hepar/train/tensor_io.h>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace hepar {

/// One saved moment of a training.
struct Checkpoint {
  std::int64_t step = 0;  ///< steps done
  NamedTensors weights;
  NamedTensors optimizer;
  NamedTensors best = {};  ///< weights of the lowest inner validation loss; often none
  Json state;         ///< what else a resume needs and compares
};

/// OUT/checkpoints: step-NNNNNNN/{weights.safetensors, optimizer.safetensors, state.json}, with
/// early stopping best.safetensors too, and `latest`.
class CheckpointStore {
 public:
  CheckpointStore(std::filesystem::path run_folder, std::int64_t keep);

  /// Writes into a temporary folder, syncs, checks the lease, renames, points `latest` at it, then
  /// removes the oldest beyond keep. state.json receives the xxh64 of the others. Throws DataError,
  /// CommError.
  void save(const Checkpoint& checkpoint, const Lease& lease) const;

  /// The newest checkpoint whose files carry their hashes; a damaged one is named in a warning and
  /// the one before it used. Empty when there is none.
  [[nodiscard]] std::optional<Checkpoint> load_latest() const;

 private:
  std::filesystem::path folder_;
  std::int64_t keep_;
};

}  // namespace hepar
