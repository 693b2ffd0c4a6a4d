#pragma once
#include <zlib.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/image/nifti.h"
#include "support/temporary.h"

namespace hepar::test {

/// Byte positions in a NIfTI-1 header, from the standard, so that tests damage a file without the
/// code they test.
namespace field {
inline constexpr std::size_t kDim = 40;         // int16[8]
inline constexpr std::size_t kDatatype = 70;    // int16
inline constexpr std::size_t kBitpix = 72;      // int16
inline constexpr std::size_t kPixdim = 76;      // float[8]
inline constexpr std::size_t kVoxOffset = 108;  // float
inline constexpr std::size_t kSlope = 112;      // float
inline constexpr std::size_t kIntercept = 116;  // float
inline constexpr std::size_t kUnits = 123;      // char
inline constexpr std::size_t kQformCode = 252;  // int16
inline constexpr std::size_t kSformCode = 254;  // int16
inline constexpr std::size_t kQuaternB = 256;   // float[3]
inline constexpr std::size_t kQoffset = 268;    // float[3]
inline constexpr std::size_t kSrow = 280;       // float[3][4]
inline constexpr std::size_t kMagic = 344;      // char[4]
inline constexpr std::size_t kVoxels = 352;
}  // namespace field

using Bytes = std::vector<std::byte>;

template <class T>
void put(Bytes& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

template <class T>
T get(const Bytes& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

/// Three different sizes and spacings, an oblique axis, and voxels that count up.
inline StoredImage counting_image(VoxelType type = VoxelType::kInt16) {
  StoredImage image;
  image.grid.size = {.z = 2, .y = 3, .x = 4};
  image.grid.spacing = {.z = 5, .y = 1.25, .x = 0.75};
  image.grid.origin = {.r = -12.5, .a = 20.25, .s = -300};
  image.grid.axis = {WorldMm{0, -0.6, 0.8}, WorldMm{0, 0.8, 0.6}, WorldMm{-1, 0, 0}};
  image.type = type;
  with_voxel_type(type, [&](auto zero) {
    using T = decltype(zero);
    image.voxels.resize(24 * sizeof(T));
    for (std::size_t i = 0; i < 24; ++i) {
      const auto value = static_cast<T>(i);
      std::memcpy(image.voxels.data() + i * sizeof(T), &value, sizeof(T));
    }
  });
  return image;
}

/// The bytes of counting_image() as an uncompressed NIfTI-1 file.
inline Bytes counting_file(VoxelType type = VoxelType::kInt16) {
  static std::map<VoxelType, Bytes> made;  // once: writing syncs the disk
  Bytes& bytes = made[type];
  if (bytes.empty()) {
    const TemporaryFolder folder;
    write_nifti(folder.path() / "counting.nii", counting_image(type));
    bytes = read_bytes(folder.path() / "counting.nii");
  }
  return bytes;
}

inline std::filesystem::path write_bytes(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return path;
}

/// One gzip member.
inline Bytes gzip(const Bytes& bytes) {
  z_stream stream{};
  ::deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  Bytes out(::deflateBound(&stream, bytes.size()) + 64);
  Bytes in = bytes;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  ::deflate(&stream, Z_FINISH);  // deflateBound() is enough for one call
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

/// The DataError's text, or "" when the file is read.
inline std::string refusal(const std::filesystem::path& path) {
  try {
    read_nifti(path);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

}  // namespace hepar::test
