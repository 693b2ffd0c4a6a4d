#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace hepar {

/// One named array of a safetensors file, without Torch: dtype in the format's spelling ("F32",
/// "F16", "BF16", "F64", "I64", "I32", "I16", "I8", "U8", "BOOL"), row-major.
struct RawTensor {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};

/// Writes the file atomically (header, then tensors in the given order, header padded to 8 bytes).
/// Returns the xxh64 of the file.
std::uint64_t write_safetensors(const std::filesystem::path& path,
                                const std::vector<RawTensor>& tensors,
                                const std::map<std::string, std::string>& metadata);

/// A file held in memory and the tensors in it. Every length is checked against the file: throws
/// DataError naming the file and what is wrong (short header, not JSON, unknown dtype, offsets that
/// overlap, leave a gap or reach past the end, shape against bytes).
struct SafetensorsFile {
  SafetensorsFile() = default;
  ~SafetensorsFile() = default;
  SafetensorsFile(const SafetensorsFile&) = delete;  // the views would stay with the original
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;
  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;

  std::vector<std::byte> bytes;
  std::vector<RawTensor> tensors;  ///< views into `bytes`, in file order
  std::map<std::string, std::string> metadata;
};
SafetensorsFile read_safetensors(const std::filesystem::path& path);

}  // namespace hepar
