#include <algorithm>
#include <cstring>
#include <set>

#include "dicom_stack.h"
#include "hepar/core/error.h"
#include "hepar/image/dicom.h"

namespace hepar {
namespace {

namespace fs = std::filesystem;
using dicom::FileHeader;
using dicom::Plane;
using dicom::Stack;

std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) {
    require<DataError>(fs::exists(path), path.string() +
                                             ": wanted a DICOM file or a folder with a "
                                             "series, found nothing");
    return {path};
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (!entry.is_directory() && !entry.path().filename().string().starts_with(".")) {
      files.push_back(entry.path());
    }
  }
  require<DataError>(!files.empty(), path.string() + ": wanted DICOM files, found none");
  std::sort(files.begin(), files.end());  // only so that errors name the same file every time
  return files;
}

struct Series {
  std::vector<FileHeader> files;
  Stack stack;
  StoredImage image;  ///< without voxels
  bool mixed_scales = false;
};

void take_scale(Series& series) {
  const auto& planes = series.stack.planes;
  series.image.slope = planes.front().slope;
  series.image.intercept = planes.front().intercept;
  series.mixed_scales = std::any_of(planes.begin(), planes.end(), [&](const Plane& plane) {
    return plane.slope != planes.front().slope || plane.intercept != planes.front().intercept;
  });
  if (series.mixed_scales) {
    series.image.type = VoxelType::kFloat32;
    series.image.slope = 1;
    series.image.intercept = 0;
    series.image.notes.emplace_back(
        "the slices have different slopes or intercepts: stored as real values in float32");
  }
}

Series read_headers(const fs::path& path) {
  Series series;
  for (const fs::path& file : files_of(path)) {
    series.files.push_back(dicom::read_header(file));
  }
  series.stack = dicom::stack_planes(series.files, path.string());
  series.image.grid = series.stack.grid;
  series.image.type = series.files.front().type;
  series.image.notes = series.stack.notes;
  for (const FileHeader& file : series.files) {
    for (const std::string& note : file.notes) {
      auto& notes = series.image.notes;
      if (std::find(notes.begin(), notes.end(), note) == notes.end()) {
        notes.push_back(note);
      }
    }
  }
  take_scale(series);
  return series;
}

/// One slice's stored pixels as float32 real values.
void scale_plane(std::span<const std::byte> stored, VoxelType type, const Plane& plane,
                 std::byte* out) {
  with_voxel_type(type, [&](auto zero) {
    using T = decltype(zero);
    for (std::size_t at = 0; at < stored.size(); at += sizeof(T)) {
      T value;
      std::memcpy(&value, stored.data() + at, sizeof(T));
      const auto real =
          static_cast<float>(static_cast<double>(value) * plane.slope + plane.intercept);
      std::memcpy(out + at / sizeof(T) * sizeof(float), &real, sizeof real);
    }
  });
}

void read_voxels(Series& series) {
  const SizeVox size = series.stack.grid.size;
  const VoxelType stored_type = series.files.front().type;
  const auto stored_bytes =
      static_cast<std::size_t>(size.y * size.x) * bytes_per_voxel(stored_type);
  const auto plane_bytes =
      static_cast<std::size_t>(size.y * size.x) * bytes_per_voxel(series.image.type);
  series.image.voxels.resize(static_cast<std::size_t>(size.z) * plane_bytes);
  std::vector<std::byte> pixels;
  for (std::size_t i = 0; i < series.files.size(); ++i) {
    pixels.resize(stored_bytes * series.files[i].planes.size());
    dicom::read_pixels(series.files[i], pixels);
    for (std::size_t z = 0; z < series.stack.planes.size(); ++z) {
      const Plane& plane = series.stack.planes[z];
      if (plane.file != i) {
        continue;
      }
      const auto from = std::span<const std::byte>(pixels).subspan(
          static_cast<std::size_t>(plane.frame) * stored_bytes, stored_bytes);
      std::byte* to = series.image.voxels.data() + z * plane_bytes;
      if (series.mixed_scales) {
        scale_plane(from, stored_type, plane, to);
      } else {
        std::copy(from.begin(), from.end(), to);
      }
    }
  }
}

}  // namespace

StoredImage read_dicom(const fs::path& path) {
  Series series = read_headers(path);
  read_voxels(series);
  return std::move(series.image);
}

StoredImage read_dicom_header(const fs::path& path) { return read_headers(path).image; }

}  // namespace hepar
