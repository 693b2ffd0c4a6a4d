#include "hepar/image/nifti.h"

#include <nifti2_io.h>

#include <algorithm>
#include <array>

#include "byte_source.h"
#include "hepar/core/error.h"
#include "nifti_header.h"
#include "voxel_scan.h"

// What is niftilib's here and what is not: decoding, byte order and matrices of a header are its
// (nifti_header.cpp, nifti_geometry.cpp), after checks on the raw fields. The bytes are read here,
// because niftilib's znz layer takes a truncated gzip for a short file, does not look at the
// trailer, and allocates what a header asks for. So a file is inflated once, straight into the
// voxels, and its CRC is checked on the way.

namespace hepar {
namespace {

using nifti::Files;
using nifti::Layout;

std::unique_ptr<ByteSource> open_half(const std::filesystem::path& path) {
  return open_bytes(path, nifti::is_gzip_name(path));
}

nifti::Header read_raw_header(ByteSource& source, const std::string& where) {
  std::array<std::byte, nifti::kHeaderBytes2> bytes{};
  const std::size_t got = source.read(std::span(bytes).first(4));
  const std::size_t wanted = got == 4 ? nifti::header_bytes(bytes) : 0;
  require<DataError>(wanted > 0, where +
                                     ": not a NIfTI file: its first number (the header's length) "
                                     "is neither 348 nor 540");
  const std::size_t more = source.read(std::span(bytes).subspan(4, wanted - 4));
  require<DataError>(more == wanted - 4, where + ": the header ends after " +
                                             std::to_string(more + 4) + " of " +
                                             std::to_string(wanted) + " bytes");
  return nifti::parse_header(std::span(bytes).first(wanted), where);
}

/// What the voxels' file must be able to hold, before anything is allocated.
void check_length(const ByteSource& source, const Layout& layout, const std::string& where) {
  const std::int64_t most = source.most_bytes();
  const bool fits = layout.bytes <= most && layout.first <= most - layout.bytes;
  const bool exact = !source.is_exact() || (fits && layout.first + layout.bytes == most);
  require<DataError>(fits && exact,
                     where + ": wanted " + std::to_string(layout.bytes) +
                         " bytes of voxels from byte " + std::to_string(layout.first) + ", found " +
                         (source.is_exact() ? "" : "at most ") +
                         std::to_string(std::max<std::int64_t>(0, most - layout.first)) +
                         "; the file is cut short, too long, or its header is wrong");
}

void skip(ByteSource& source, std::int64_t bytes, const std::string& where) {
  std::array<std::byte, 4096> unused{};
  while (bytes > 0) {
    const auto piece = std::min<std::int64_t>(bytes, unused.size());
    const std::size_t got = source.read(std::span(unused).first(static_cast<std::size_t>(piece)));
    require<DataError>(got == static_cast<std::size_t>(piece),
                       where + ": the file ends before its first voxel (vox_offset)");
    bytes -= piece;
  }
}

/// Reads a pair's header file to its end, past extensions, so that its gzip trailer is checked too.
void drain(ByteSource& source, const std::string& where) {
  constexpr int kMostPieces = 1 << 14;  // 64 MiB: no extension is larger, a decompression bomb is
  std::array<std::byte, 4096> unused{};
  for (int i = 0; i < kMostPieces; ++i) {
    if (source.read(unused) < unused.size()) {
      return;
    }
  }
  throw DataError(where + ": the header file holds more than 64 MiB");
}

void read_voxels(ByteSource& source, Layout& layout, const std::string& where) {
  std::vector<std::byte>& voxels = layout.image.voxels;
  voxels.resize(static_cast<std::size_t>(layout.bytes));
  const std::size_t got = source.read(voxels);
  require<DataError>(got == voxels.size(), where + ": wanted " + std::to_string(voxels.size()) +
                                               " bytes of voxels, found " + std::to_string(got));
  // For gzip this read also reaches the trailer, and so checks it.
  std::array<std::byte, 1> beyond{};
  require<DataError>(source.read(beyond) == 0, where + ": wanted " + std::to_string(voxels.size()) +
                                                   " bytes of voxels, found more");
}

void finish_voxels(const nifti::Header& header, StoredImage& image, const std::string& where) {
  const std::size_t bytes = bytes_per_voxel(image.type);
  if (header.swapped && bytes > 1) {
    nifti_swap_Nbytes(static_cast<std::int64_t>(image.voxels.size() / bytes),
                      static_cast<int>(bytes), image.voxels.data());
  }
  if (const auto bad = first_non_finite(image)) {
    throw DataError(where + ": voxel " + voxel_position(image.grid.size, *bad) +
                    " is nan or infinite, wanted finite numbers; correct the file or leave it out");
  }
}

void require_kind(const Files& files, const nifti::Header& header, const std::string& where) {
  const bool single = files.header == files.voxels;
  require<DataError>(
      single == header.single,
      where + (single ? ": the magic says that the voxels are in an .img file, but it "
                        "is a .nii"
                      : ": the magic says that the voxels are in the same file, but "
                        "it is a .hdr"));
}

}  // namespace

StoredImage read_nifti(const std::filesystem::path& path) {
  const Files files = nifti::find_files(path);
  const std::string where = files.header.string();
  const auto source = open_half(files.header);
  const nifti::Header header = read_raw_header(*source, where);
  require_kind(files, header, where);
  Layout layout = nifti::check_header(header, where);
  if (header.single) {
    check_length(*source, layout, where);
    const auto read = header.version == 1 ? nifti::kHeaderBytes1 : nifti::kHeaderBytes2;
    skip(*source, layout.first - static_cast<std::int64_t>(read), where);
    read_voxels(*source, layout, where);
  } else {
    drain(*source, where);
    const std::string voxels_where = files.voxels.string();
    const auto voxels = open_half(files.voxels);
    check_length(*voxels, layout, voxels_where);
    skip(*voxels, layout.first, voxels_where);
    read_voxels(*voxels, layout, voxels_where);
  }
  finish_voxels(header, layout.image, files.voxels.string());
  return std::move(layout.image);
}

StoredImage read_nifti_header(const std::filesystem::path& path) {
  const Files files = nifti::find_files(path);
  const std::string where = files.header.string();
  const auto source = open_half(files.header);
  const nifti::Header header = read_raw_header(*source, where);
  require_kind(files, header, where);
  Layout layout = nifti::check_header(header, where);
  check_length(header.single ? *source : *open_half(files.voxels), layout, files.voxels.string());
  return std::move(layout.image);
}

}  // namespace hepar
