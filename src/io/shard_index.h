#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "chunk_grid.h"

namespace hepar {

/// An open file, read with pread.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  /// Throws DataError with the system's reason.
  explicit FileDescriptor(const std::filesystem::path& path);
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  int descriptor_ = -1;
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
                                                const FileDescriptor& file);

}  // namespace hepar
