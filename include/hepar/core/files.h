#pragma once
#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace hepar {

namespace fs = std::filesystem;

/// Whole file as text. Throws DataError naming the file.
std::string read_text(const fs::path& path);
std::vector<std::byte> read_bytes(const fs::path& path);

/// Writes a file so that it is either wholly there under its name or not at all: temporary name in
/// the same folder, fsync, rename, fsync of the folder. Throws DataError (no space, no permission)
/// with the system's reason, and leaves no temporary file behind.
void write_atomically(const fs::path& path, const std::string& text);
void write_atomically(const fs::path& path, std::span<const std::byte> bytes);

/// The same for a writer that wants a path: `write(temporary)` creates the file, which is then
/// synced and renamed. The temporary name keeps the final name's extensions (niftilib looks at
/// them).
void write_atomically(const fs::path& path, const std::function<void(const fs::path&)>& write);

/// fsync of an existing file or folder. Throws DataError.
void sync_path(const fs::path& path);

/// Creates a folder and its parents and proves that it can be written to; throws DataError
/// otherwise.
void make_writable_directory(const fs::path& path);

}  // namespace hepar
