#include <nifti2_io.h>

#include <cmath>
#include <limits>

#include "hepar/core/error.h"
#include "hepar/core/text.h"
#include "nifti_header.h"
#include "voxel_scan.h"

namespace hepar::nifti {
namespace {

std::string dims_text(const Header& header) {
  std::vector<std::string> parts;
  for (std::int64_t i = 1; i <= header.dim[0]; ++i) {
    parts.push_back(std::to_string(header.dim[static_cast<std::size_t>(i)]));
  }
  return join(parts, "x");
}

SizeVox check_dims(const Header& header, const std::string& where,
                   std::vector<std::string>& notes) {
  const std::int64_t n = header.dim[0];
  require<DataError>(n >= 1 && n <= 7,
                     where + ": dim[0] = " + std::to_string(n) + ", wanted 1 to 7");
  const std::string found = "dimensions " + dims_text(header);
  for (std::int64_t i = 1; i <= n; ++i) {
    require<DataError>(header.dim[static_cast<std::size_t>(i)] > 0,
                       where + ": " + found + ", wanted every one > 0");
  }
  require<DataError>(n >= 3, where + ": " + found + ", wanted a volume (x, y, z)");
  for (std::int64_t i = 4; i <= n; ++i) {
    require<DataError>(
        header.dim[static_cast<std::size_t>(i)] == 1,
        where + ": " + found + ", wanted one volume; split the file into one per volume");
  }
  if (n > 3) {
    notes.push_back(std::to_string(n) + "-D (" + dims_text(header) +
                    ") with trailing 1s, read as one volume");
  }
  return {.z = header.dim[3], .y = header.dim[2], .x = header.dim[1]};
}

VoxelType check_type(const Header& header, const std::string& where,
                     std::vector<std::string>& notes) {
  const auto known = [&]() -> VoxelType {
    switch (header.datatype) {
      case DT_UINT8:
        return VoxelType::kUint8;
      case DT_INT8:
        return VoxelType::kInt8;
      case DT_UINT16:
        return VoxelType::kUint16;
      case DT_INT16:
        return VoxelType::kInt16;
      case DT_UINT32:
        return VoxelType::kUint32;
      case DT_INT32:
        return VoxelType::kInt32;
      case DT_UINT64:
        return VoxelType::kUint64;
      case DT_INT64:
        return VoxelType::kInt64;
      case DT_FLOAT32:
        return VoxelType::kFloat32;
      case DT_FLOAT64:
        return VoxelType::kFloat64;
      default:
        break;
    }
    // niftilib's own name of the type ("RGB24", "COMPLEX64", …, "INVALID" for no type at all).
    const std::string name = to_lower(nifti_datatype_string(header.datatype));
    throw DataError(where + ": voxel type " + name + " (datatype " +
                    std::to_string(header.datatype) +
                    "), wanted an integer or float of 8 to 64 bits");
  }();
  const auto bits = static_cast<int>(8 * bytes_per_voxel(known));
  if (header.bitpix != bits) {
    // The length of the payload tells which is right, and it is checked against datatype.
    notes.push_back("bitpix " + std::to_string(header.bitpix) + " ignored: " + to_string(known) +
                    " has " + std::to_string(bits));
  }
  return known;
}

/// Slope 0 means "not scaled" by the standard; nan is what nibabel writes in memory for the same,
/// and niftilib reads it so.
void check_scaling(const Header& header, const std::string& where, StoredImage& image) {
  if (header.slope == 0 || std::isnan(header.slope)) {
    if (std::isnan(header.slope)) {
      image.notes.emplace_back("scl_slope is nan, read as not scaled");
    }
    return;
  }
  require<DataError>(std::isfinite(header.slope) && std::isfinite(header.intercept),
                     where + ": scl_slope " + describe_value(header.slope) + ", scl_inter " +
                         describe_value(header.intercept) + ", wanted finite numbers");
  image.slope = header.slope;
  image.intercept = header.intercept;
}

std::int64_t check_bytes(const Header& header, VoxelType type, const std::string& where) {
  std::int64_t bytes = static_cast<std::int64_t>(bytes_per_voxel(type));
  for (int i = 1; i <= 3; ++i) {
    require<DataError>(
        !__builtin_mul_overflow(bytes, header.dim[static_cast<std::size_t>(i)], &bytes),
        where + ": dimensions " + dims_text(header) + " of " + to_string(type) +
            " are more bytes than a file can have");
  }
  return bytes;
}

std::int64_t check_offset(const Header& header, const std::string& where) {
  const double lowest = !header.single ? 0 : (header.version == 1 ? 352 : 544);
  constexpr double kHighest = 9007199254740992.0;  // 2^53: past it doubles skip integers
  const bool good = header.vox_offset >= lowest && header.vox_offset <= kHighest &&
                    header.vox_offset == std::floor(header.vox_offset);
  require<DataError>(good, where + ": vox_offset " + describe_value(header.vox_offset) +
                               ", wanted a whole number of bytes from " + describe_value(lowest));
  return static_cast<std::int64_t>(header.vox_offset);
}

}  // namespace

Layout check_header(const Header& header, const std::string& where) {
  Layout layout;
  StoredImage& image = layout.image;
  image.type = check_type(header, where, image.notes);
  const SizeVox size = check_dims(header, where, image.notes);
  layout.bytes = check_bytes(header, image.type, where);
  layout.first = check_offset(header, where);
  check_scaling(header, where, image);
  image.grid = read_grid(header, where, image.notes);
  require<DataError>(image.grid.size == size,
                     where + ": niftilib reads other dimensions than " + dims_text(header));
  return layout;
}

}  // namespace hepar::nifti
