#pragma once
#include <hepar/core/geometry.h>
#include <hepar/core/voxel_type.h>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace hepar {

enum class Compressor { kLz4, kZstd };

/// Shape and type of an array in a shard: up to four axes, last one fastest.
struct ArrayShape {
  std::vector<std::int64_t> size;
  std::vector<std::int64_t> chunk;
  VoxelType type = VoxelType::kInt16;
};

/// Writes one HDF5 shard: chunked arrays, Blosc (filter 32001) with bitshuffle. The file has its
/// final name only after close(); a writer destroyed without close() leaves nothing.
class ShardWriter {
 public:
  /// `threads` compress the chunks of an array; the file's bytes do not depend on them.
  ShardWriter(std::filesystem::path path, Compressor compressor, int threads = 1);
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;
  ShardWriter(ShardWriter&&) = delete;
  ShardWriter& operator=(ShardWriter&&) = delete;

  /// Writes a whole array and returns its xxh64 (hex, over the uncompressed bytes).
  std::string write(const std::string& dataset, const ArrayShape& shape,
                    std::span<const std::byte> data);
  /// Finishes: flush, fsync, rename. Throws DataError (full disk, …).
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads arrays of one shard. Chunk addresses are asked of HDF5 once, when the file is opened;
/// reading is pread + Blosc in the calling thread with no lock, so any number of threads may read
/// at once.
class ShardReader {
 public:
  explicit ShardReader(std::filesystem::path path);
  ~ShardReader();
  ShardReader(const ShardReader&) = delete;
  ShardReader& operator=(const ShardReader&) = delete;
  ShardReader(ShardReader&&) = delete;
  ShardReader& operator=(ShardReader&&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const;
  [[nodiscard]] std::vector<std::string> datasets() const;
  /// Throws DataError when there is no such array.
  [[nodiscard]] const ArrayShape& shape(const std::string& dataset) const;
  /// Chunks of an array, numbered row by row.
  [[nodiscard]] std::int64_t chunk_count(const std::string& dataset) const;
  /// One decoded chunk: dense, of the chunk's full shape; what lies past the array's end is
  /// padding. `out` has exactly that many bytes. Throws DataError naming file, dataset and chunk
  /// when it is damaged.
  void read_chunk(const std::string& dataset, std::int64_t chunk, std::span<std::byte> out) const;
  /// Whole array. Throws DataError on a damaged chunk.
  [[nodiscard]] std::vector<std::byte> read(const std::string& dataset) const;
  /// The box [start, start + size) of an array, inside it, into `out` (dense).
  void read_box(const std::string& dataset, std::span<const std::int64_t> start,
                std::span<const std::int64_t> size, std::span<std::byte> out) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hepar
