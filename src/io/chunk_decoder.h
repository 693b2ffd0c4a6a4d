#pragma once
#include <filesystem>
#include <span>
#include <string>

#include "shard_index.h"

namespace hepar {

/// Where chunks are read from, with the names that errors give.
struct ChunkSource {
  const std::filesystem::path& path;
  const std::string& dataset;
  int descriptor;
};

/// Reads, checks and decodes chunk `index` into `out` (the full chunk), without any lock. Throws
/// DataError naming file, dataset and chunk.
void decode_chunk(const ChunkSource& source, const IndexedArray& array, std::int64_t index,
                  std::span<std::byte> out);

}  // namespace hepar
