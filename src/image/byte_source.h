#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace hepar {

/// The bytes of a file in order, inflated when it is gzip. Every read verifies what it can: a
/// stream that ends early or whose trailer (CRC-32, length) does not fit throws DataError.
class ByteSource {
 public:
  ByteSource() = default;
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ByteSource(ByteSource&&) = delete;
  ByteSource& operator=(ByteSource&&) = delete;

  /// Fills `into` and returns its size, or fewer bytes when the data ends there.
  virtual std::size_t read(std::span<std::byte> into) = 0;

  /// No more than this many bytes can come out in all: the file's size, or 1032 times it for gzip
  /// (deflate cannot do better). Known before anything is read, so nothing is allocated on a
  /// header's word alone.
  [[nodiscard]] virtual std::int64_t most_bytes() const = 0;

  /// True when most_bytes() is the very number.
  [[nodiscard]] virtual bool is_exact() const = 0;
};

/// Opens a regular file. Throws DataError when it is missing, unreadable, empty, no regular file,
/// or when its content is gzip and `gzip` says it is not, or the other way round.
std::unique_ptr<ByteSource> open_bytes(const std::filesystem::path& path, bool gzip);

}  // namespace hepar
