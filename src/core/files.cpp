#include "hepar/core/files.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "hepar/core/descriptor.h"
#include "hepar/core/error.h"

namespace hepar {
namespace {

[[noreturn]] void fail(const fs::path& path, const std::string& action) {
  throw DataError(path.string() + ": " + action + " failed: " + std::strerror(errno));
}

void write_all(const fs::path& path, std::span<const std::byte> bytes) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file.is_open()) {
    fail(path, "creating");
  }
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno != EINTR) {
      fail(path, "writing");
    }
    done += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  if (::fsync(file.get()) != 0) {
    fail(path, "fsync");
  }
}

/// "dir/.name.1234.0.tmp.nii.gz" for "dir/name.nii.gz": hidden, unique, all extensions kept.
fs::path temporary_name(const fs::path& path) {
  static std::atomic<int> counter{0};
  const std::string name = path.filename().string();
  const std::size_t dot = name.find('.', 1);
  const std::string stem = name.substr(0, dot);
  const std::string extension = dot == std::string::npos ? "" : name.substr(dot);
  return path.parent_path() / ("." + stem + "." + std::to_string(::getpid()) + "." +
                               std::to_string(counter++) + ".tmp" + extension);
}

fs::path folder_of(const fs::path& path) {
  return path.parent_path().empty() ? fs::path(".") : path.parent_path();
}

}  // namespace

std::string read_text(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::error_code ignored;
  require<DataError>(
      stream.good() && !fs::is_directory(path, ignored),
      path.string() + ": cannot be read; check that the file exists and may be read");
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::vector<std::byte> read_bytes(const fs::path& path) {
  const std::string text = read_text(path);
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

void write_atomically(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  const fs::path temporary = temporary_name(path);
  try {
    write(temporary);
    sync_path(temporary);
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      fail(path, "renaming " + temporary.filename().string() + " to it");
    }
    sync_path(folder_of(path));
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

void write_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  write_atomically(path, [&](const fs::path& temporary) { write_all(temporary, bytes); });
}

void write_atomically(const fs::path& path, const std::string& text) {
  write_atomically(path, std::as_bytes(std::span(text)));
}

void sync_path(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  // Some network file systems cannot sync a folder and say EINVAL: their rename is as durable as it
  // gets.
  if (file.get() < 0 || (::fsync(file.get()) != 0 && errno != EINVAL)) {
    fail(path, "fsync");
  }
}

void make_writable_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  require<DataError>(!error && fs::is_directory(path),
                     path.string() + ": the folder cannot be created: " + error.message());
  const fs::path probe = temporary_name(path / "probe");
  const Descriptor file(probe, O_WRONLY | O_CREAT);
  if (file.get() < 0) {
    fail(path, "writing into the folder");
  }
  fs::remove(probe, error);
}

}  // namespace hepar
