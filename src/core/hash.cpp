#include "hepar/core/hash.h"

#include <xxhash.h>

#include <cstdio>
#include <fstream>
#include <vector>

#include "hepar/core/error.h"

namespace hepar {

std::uint64_t xxh64(std::span<const std::byte> bytes) {
  return XXH64(bytes.data(), bytes.size(), 0);
}

std::uint64_t xxh64(const std::string& text) { return XXH64(text.data(), text.size(), 0); }

std::string to_hex(std::uint64_t hash) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

std::uint64_t xxh64_of_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  require<DataError>(stream.good(), path + ": cannot be opened for reading");
  Xxh64 hash;
  std::vector<char> piece(1 << 20);
  while (stream) {
    stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    hash.update(std::as_bytes(std::span(piece.data(), static_cast<std::size_t>(stream.gcount()))));
  }
  require<DataError>(stream.eof(), path + ": reading failed");
  return hash.digest();
}

Xxh64::Xxh64() : state_(XXH64_createState()) {
  XXH64_reset(static_cast<XXH64_state_t*>(state_), 0);
}

Xxh64::~Xxh64() { XXH64_freeState(static_cast<XXH64_state_t*>(state_)); }

void Xxh64::update(std::span<const std::byte> bytes) {
  XXH64_update(static_cast<XXH64_state_t*>(state_), bytes.data(), bytes.size());
}

std::uint64_t Xxh64::digest() const {
  return XXH64_digest(static_cast<const XXH64_state_t*>(state_));
}

}  // namespace hepar
