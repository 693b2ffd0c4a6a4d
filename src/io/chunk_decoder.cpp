#include "chunk_decoder.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "blosc_filter.h"
#include "fletcher32.h"
#include "hepar/core/error.h"

namespace hepar {

namespace {

constexpr std::size_t kChecksumBytes = 4;

/// Fills `bytes` from the file; returns what went wrong, or an empty text.
std::string read_at(int descriptor, std::uint64_t address, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pread(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(address));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return std::string("cannot be read: ") + std::strerror(errno);
    }
    if (n == 0) {
      return "reaches past the end of the file";
    }
    address += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return "";
}

/// Takes the checksum off the end of `stored`; returns what is wrong, or an empty text.
std::string verify_checksum(std::vector<std::byte>& stored) {
  if (stored.size() < kChecksumBytes) {
    return "is too short for its checksum";
  }
  std::uint32_t wanted = 0;
  for (std::size_t i = 0; i < kChecksumBytes; ++i) {
    wanted |= std::to_integer<std::uint32_t>(stored[stored.size() - kChecksumBytes + i]) << (8 * i);
  }
  stored.resize(stored.size() - kChecksumBytes);
  return fletcher32(stored) == wanted ? "" : "does not match its checksum";
}

std::string try_decode(int descriptor, const ChunkPlace& place, std::span<std::byte> out) {
  std::vector<std::byte> stored(place.bytes);
  std::string problem = read_at(descriptor, place.address, stored);
  if (problem.empty() && place.checksummed) {
    problem = verify_checksum(stored);
  }
  if (!problem.empty()) {
    return problem;
  }
  if (place.compressed) {
    return blosc::decompress(stored, out);
  }
  if (stored.size() != out.size()) {
    return "has " + std::to_string(stored.size()) + " bytes, wanted " + std::to_string(out.size());
  }
  std::copy(stored.begin(), stored.end(), out.begin());
  return "";
}

}  // namespace

void decode_chunk(const ChunkSource& source, const IndexedArray& array, std::int64_t index,
                  std::span<std::byte> out) {
  const ChunkPlace& place = array.chunks[static_cast<std::size_t>(index)];
  const std::string problem = try_decode(source.descriptor, place, out);
  if (!problem.empty()) {
    throw DataError(source.path.string() + ":" + source.dataset + ": chunk " +
                    std::to_string(index) + " of " + std::to_string(array.grid.chunks()) +
                    " is damaged: it " + problem + "; restore the shard or write it again");
  }
}

}  // namespace hepar
