#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "hepar/image/image.h"

namespace hepar::nifti {

/// Bytes of the longest header (NIfTI-2); NIfTI-1's is 348.
inline constexpr std::size_t kHeaderBytes1 = 348;
inline constexpr std::size_t kHeaderBytes2 = 540;

/// The fields that decide how voxels are read, in the machine's byte order, widened to hold both
/// versions. Order of vectors is the file's: (x, y, z).
struct Header {
  int version = 1;       ///< 1 or 2
  bool swapped = false;  ///< the file's byte order is not the machine's
  bool single = true;    ///< header and voxels in one file ("n+1"), else a pair ("ni1")
  std::array<std::int64_t, 8> dim{};
  std::array<double, 8> pixdim{};
  int datatype = 0;
  int bitpix = 0;
  double vox_offset = 0;
  double slope = 0, intercept = 0;
  int units = 0;
  int qform_code = 0, sform_code = 0;
  std::array<double, 3> quaternion{};  ///< b, c, d
  std::array<double, 3> offset{};      ///< qoffset_x, _y, _z
  std::array<std::array<double, 4>, 3> srow{};
  std::array<std::byte, kHeaderBytes2> native{};  ///< the whole header in the machine's byte order
};

/// What a checked header says about the voxels.
struct Layout {
  StoredImage image;       ///< everything but the voxels
  std::int64_t first = 0;  ///< byte of the first voxel in its file
  std::int64_t bytes = 0;  ///< bytes of all voxels
};

/// Bytes the header has, from its first four; 0 when no NIfTI (or Analyze) header starts like this.
std::size_t header_bytes(std::span<const std::byte> first_four);

/// Decodes a whole header. Throws DataError when magic or dim[0] are not a NIfTI file's.
Header parse_header(std::span<const std::byte> bytes, const std::string& where);

/// Every check that needs no voxels. Throws DataError naming the field, what was wanted and found.
Layout check_header(const Header& header, const std::string& where);

/// The grid, in mm, from sform or qform; adds to `notes`. Called by check_header().
Grid read_grid(const Header& header, const std::string& where, std::vector<std::string>& notes);

/// Where header and voxels lie; the same path twice for a single file.
struct Files {
  std::filesystem::path header;
  std::filesystem::path voxels;
};

/// Finds the other half of a pair. Throws DataError when it is missing or the name is no NIfTI
/// name.
Files find_files(const std::filesystem::path& path);

/// True for names that end in ".gz".
bool is_gzip_name(const std::filesystem::path& path);

}  // namespace hepar::nifti
