#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace hepar {

/// xxh64 (seed 0) of a byte range.
std::uint64_t xxh64(std::span<const std::byte> bytes);
std::uint64_t xxh64(const std::string& text);

/// 16 lower-case hexadecimal digits, the form used in every file hepar writes.
std::string to_hex(std::uint64_t hash);

/// xxh64 of a whole file, read in pieces. Throws DataError when it cannot be read.
std::uint64_t xxh64_of_file(const std::string& path);

/// xxh64 over data that arrives in pieces.
class Xxh64 {
 public:
  Xxh64();
  ~Xxh64();
  Xxh64(const Xxh64&) = delete;
  Xxh64& operator=(const Xxh64&) = delete;
  Xxh64(Xxh64&&) = delete;
  Xxh64& operator=(Xxh64&&) = delete;
  void update(std::span<const std::byte> bytes);
  [[nodiscard]] std::uint64_t digest() const;

 private:
  void* state_;
};

}  // namespace hepar
