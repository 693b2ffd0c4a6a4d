#include "experiment/input_stamp.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"

namespace hepar::detail {
namespace {

constexpr std::uintmax_t kEdgeBytes = 64 * 1024;

void add_text(Xxh64& hash, const std::string& text) {
  hash.update(std::as_bytes(std::span(text)));
  hash.update(std::as_bytes(std::span("\n", 1)));
}

void add_file(Xxh64& hash, const fs::path& file, const std::string& name) {
  const std::uintmax_t size = fs::file_size(file);
  add_text(hash, name + " " + std::to_string(size));
  std::ifstream stream(file, std::ios::binary);
  require<DataError>(stream.good(), file.string() + ": cannot be read");
  std::string edge(std::min(size, kEdgeBytes), '\0');
  stream.read(edge.data(), static_cast<std::streamsize>(edge.size()));
  add_text(hash, edge);
  if (size > kEdgeBytes) {
    stream.seekg(static_cast<std::streamoff>(size - kEdgeBytes));
    stream.read(edge.data(), static_cast<std::streamsize>(edge.size()));
    add_text(hash, edge);
  }
}

}  // namespace

std::string input_stamp(const fs::path& path) {
  require<DataError>(fs::exists(path), path.string() + ": no such file or folder");
  Xxh64 hash;
  if (!fs::is_directory(path)) {
    add_file(hash, path, "");
    return to_hex(hash.digest());
  }
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::recursive_directory_iterator(path, fs::directory_options::follow_directory_symlink)) {
    if (entry.is_regular_file()) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    add_file(hash, file, file.lexically_relative(path).generic_string());
  }
  return to_hex(hash.digest());
}

}  // namespace hepar::detail
