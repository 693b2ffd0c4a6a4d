#pragma once
#include <hepar/core/voxel_type.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hepar::dicom {

using Point =
    std::array<double, 3>;  ///< DICOM's patient coordinates: left, posterior, superior, mm

/// One image plane: a classic file holds one, an enhanced file one a frame.
struct Plane {
  std::string name;            ///< file, and frame where there are several; for messages
  std::size_t file = 0;        ///< number in the series' list of files
  std::int64_t frame = 0;      ///< in its file
  std::optional<Point> first;  ///< centre of the first pixel (ImagePositionPatient)
  std::optional<std::array<double, 6>> directions;  ///< along a row, then along a column
  std::optional<std::array<double, 2>> spacing;     ///< between rows, between columns, mm
  std::optional<double> between, thickness;         ///< what the header says of the third axis, mm
  double slope = 1, intercept = 0;
};

struct FileHeader {
  std::filesystem::path path;
  std::string series;  ///< SeriesInstanceUID
  std::int64_t rows = 0, columns = 0;
  VoxelType type = VoxelType::kUint16;
  std::size_t pixel_bytes = 0;  ///< declared in the file; 0 where they are compressed
  std::vector<Plane> planes;
  std::vector<std::string> notes;
};

/// Reads a file up to its pixels. Throws DataError when it is no grey image in whole bytes.
FileHeader read_header(const std::filesystem::path& path);

/// Decodes all frames of a file, as stored. `out` has exactly their size. Throws DataError.
void read_pixels(const FileHeader& header, std::span<std::byte> out);

}  // namespace hepar::dicom
