#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "chunk_grid.h"
#include "hepar/core/descriptor.h"

namespace hepar {

/// An open file, read with pread.
class ShardFile {
 public:
  ShardFile() = default;
  /// Throws DataError with the system's reason.
  explicit ShardFile(const std::filesystem::path& path);
  [[nodiscard]] int get() const { return descriptor_.get(); }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  Descriptor descriptor_;
  std::uint64_t size_ = 0;
};

/// Where a chunk's stored bytes are.
struct ChunkPlace {
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  bool compressed = true;   ///< false: Blosc was skipped for this chunk
  bool checksummed = true;  ///< Fletcher's four bytes are at its end
};

/// One array of a shard with the places of all its chunks.
struct IndexedArray {
  ArrayShape shape;
  ChunkGrid grid;
  std::vector<ChunkPlace> chunks;  ///< in the grid's order
};

/// Every array of a shard. The only part of reading that calls HDF5. Throws DataError naming file
/// and array: not HDF5, an old file format without checksums, another filter, an unknown type, a
/// chunk that is missing or lies outside the file.
std::map<std::string, IndexedArray> index_shard(const std::filesystem::path& path,
                                                const ShardFile& file);

}  // namespace hepar
