#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace hepar {

/// Decoded chunks by key, bounded in bytes; the least recently used go first. Any number of
/// threads.
class ChunkCache {
 public:
  using Chunk = std::shared_ptr<const std::vector<std::byte>>;

  explicit ChunkCache(std::size_t capacity_bytes);

  /// The chunk of `key`, made by `decode` (called without any lock) when it is not kept.
  Chunk get(std::uint64_t key, const std::function<std::vector<std::byte>()>& decode);
  /// Bytes kept now.
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Entry {
    std::uint64_t key;
    Chunk chunk;
  };
  /// A part of the keys with a lock of its own, so that threads seldom meet.
  struct Part {
    mutable std::mutex mutex;
    std::list<Entry> entries;  ///< most recently used first
    std::unordered_map<std::uint64_t, std::list<Entry>::iterator> places;
    std::size_t bytes = 0;
  };
  Chunk find(Part& part, std::uint64_t key);
  void insert(Part& part, const Entry& entry);

  std::size_t part_capacity_;
  std::array<Part, 8> parts_;
};

}  // namespace hepar
