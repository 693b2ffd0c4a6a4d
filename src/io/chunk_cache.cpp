#include "chunk_cache.h"

namespace hepar {

ChunkCache::ChunkCache(std::size_t capacity_bytes)
    : part_capacity_(capacity_bytes / std::tuple_size_v<decltype(parts_)>) {}

ChunkCache::Chunk ChunkCache::find(Part& part, std::uint64_t key) {
  const std::scoped_lock lock(part.mutex);
  const auto found = part.places.find(key);
  if (found == part.places.end()) {
    return nullptr;
  }
  part.entries.splice(part.entries.begin(), part.entries, found->second);
  return found->second->chunk;
}

void ChunkCache::insert(Part& part, const Entry& entry) {
  const std::scoped_lock lock(part.mutex);
  if (entry.chunk->size() > part_capacity_ || part.places.contains(entry.key)) {
    return;
  }
  part.entries.push_front(entry);
  part.places[entry.key] = part.entries.begin();
  part.bytes += entry.chunk->size();
  while (part.bytes > part_capacity_) {
    const Entry& last = part.entries.back();
    part.bytes -= last.chunk->size();
    part.places.erase(last.key);
    part.entries.pop_back();
  }
}

ChunkCache::Chunk ChunkCache::get(std::uint64_t key,
                                  const std::function<std::vector<std::byte>()>& decode) {
  // Fibonacci hashing: keys are consecutive numbers.
  Part& part = parts_[(key * 0x9E3779B97F4A7C15ULL) >> 61];
  if (Chunk kept = find(part, key)) {
    return kept;
  }
  const Entry entry{key, std::make_shared<const std::vector<std::byte>>(decode())};
  insert(part, entry);
  return entry.chunk;
}

std::size_t ChunkCache::bytes() const {
  std::size_t total = 0;
  for (const Part& part : parts_) {
    const std::scoped_lock lock(part.mutex);
    total += part.bytes;
  }
  return total;
}

}  // namespace hepar
