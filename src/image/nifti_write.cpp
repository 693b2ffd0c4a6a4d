#include <nifti2_io.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "hepar/core/descriptor.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/image/nifti.h"
#include "nifti_header.h"

// The header is made by niftilib; the bytes are written here, because nifti_image_write() returns
// nothing and prints when a disk is full.

namespace hepar {
namespace {

/// A file being written; every failure is a DataError with the system's reason.
class OutputFile {
 public:
  /// `name` is what messages call it: the file's final path, not its temporary one.
  OutputFile(const std::filesystem::path& path, std::string name)
      : name_(std::move(name)), file_(path, O_WRONLY | O_CREAT | O_TRUNC) {
    check(file_.is_open(), "creating");
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) {
        continue;
      }
      check(n > 0, "writing");
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
  }

  /// Network file systems report a full disk here.
  void close() { check(file_.close(), "closing"); }

 private:
  void check(bool good, const char* action) const {
    if (!good) {
      throw DataError(name_ + ": " + action + " failed: " + std::strerror(errno));
    }
  }

  std::string name_;
  Descriptor file_;
};

/// gzip with an empty name and time 0, so equal images give equal files.
class GzipWriter {
 public:
  explicit GzipWriter(OutputFile& file) : file_(file), buffer_(std::size_t{1} << 18) {
    constexpr int kGzip = 16;   // zlib: added to the window bits
    constexpr int kLevel = 3;   // on MR 1.3 % longer than level 6, at twice its speed
    constexpr int kMemory = 8;  // zlib's default
    require<Error>(::deflateInit2(&stream_, kLevel, Z_DEFLATED, MAX_WBITS + kGzip, kMemory,
                                  Z_DEFAULT_STRATEGY) == Z_OK,
                   "zlib cannot be started");
  }
  ~GzipWriter() { ::deflateEnd(&stream_); }
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;
  GzipWriter(GzipWriter&&) = delete;
  GzipWriter& operator=(GzipWriter&&) = delete;

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const std::size_t piece = std::min<std::size_t>(bytes.size(), std::size_t{1} << 30);
      deflate(bytes.first(piece), Z_NO_FLUSH);
      bytes = bytes.subspan(piece);
    }
  }
  void finish() { deflate({}, Z_FINISH); }

 private:
  void deflate(std::span<const std::byte> bytes, int flush) {
    // zlib's C interface has no const; it does not write through next_in.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      ::deflate(&stream_, flush);
      file_.write(std::span(buffer_).first(buffer_.size() - stream_.avail_out));
    } while (stream_.avail_out == 0);
  }

  OutputFile& file_;
  std::vector<std::byte> buffer_;
  z_stream stream_{};
};

int datatype_of(VoxelType type) {
  switch (type) {
    case VoxelType::kUint8:
      return DT_UINT8;
    case VoxelType::kInt8:
      return DT_INT8;
    case VoxelType::kUint16:
      return DT_UINT16;
    case VoxelType::kInt16:
      return DT_INT16;
    case VoxelType::kUint32:
      return DT_UINT32;
    case VoxelType::kInt32:
      return DT_INT32;
    case VoxelType::kUint64:
      return DT_UINT64;
    case VoxelType::kInt64:
      return DT_INT64;
    case VoxelType::kFloat32:
      return DT_FLOAT32;
    case VoxelType::kFloat64:
      return DT_FLOAT64;
  }
  throw Error("write_nifti: a voxel type without a NIfTI code");
}

nifti_dmat44 affine_of(const Grid& grid) {
  nifti_dmat44 affine{};
  for (int j = 0; j < 3; ++j) {
    const WorldMm& axis = grid.axis[static_cast<std::size_t>(2 - j)];
    const double step = grid.spacing[2 - j];
    affine.m[0][j] = axis.r * step;
    affine.m[1][j] = axis.a * step;
    affine.m[2][j] = axis.s * step;
  }
  affine.m[0][3] = grid.origin.r;
  affine.m[1][3] = grid.origin.a;
  affine.m[2][3] = grid.origin.s;
  affine.m[3][3] = 1;
  return affine;
}

/// Fills what the two header versions share; they differ in the width of their fields.
template <class Raw>
void fill_header(const StoredImage& image, Raw& raw) {
  using Real = std::remove_reference_t<decltype(raw.srow_x[0])>;
  const nifti_dmat44 affine = affine_of(image.grid);
  double b = 0, c = 0, d = 0, qfac = 1;
  std::array<double, 3> offset{}, spacing{};
  nifti_dmat44_to_quatern(affine, &b, &c, &d, &offset[0], &offset[1], &offset[2], &spacing[0],
                          &spacing[1], &spacing[2], &qfac);
  // niftilib leaves the dimensions that are not there at 0; others want them to be 1.
  std::fill(raw.dim + 4, raw.dim + 8, 1);
  std::fill(raw.pixdim + 4, raw.pixdim + 8, static_cast<Real>(1));
  raw.pixdim[0] = static_cast<Real>(qfac);
  for (int i = 0; i < 3; ++i) {
    raw.pixdim[i + 1] = static_cast<Real>(image.grid.spacing[2 - i]);
  }
  raw.quatern_b = static_cast<Real>(b);
  raw.quatern_c = static_cast<Real>(c);
  raw.quatern_d = static_cast<Real>(d);
  raw.qoffset_x = static_cast<Real>(offset[0]);
  raw.qoffset_y = static_cast<Real>(offset[1]);
  raw.qoffset_z = static_cast<Real>(offset[2]);
  for (int j = 0; j < 4; ++j) {
    raw.srow_x[j] = static_cast<Real>(affine.m[0][j]);
    raw.srow_y[j] = static_cast<Real>(affine.m[1][j]);
    raw.srow_z[j] = static_cast<Real>(affine.m[2][j]);
  }
  raw.qform_code = NIFTI_XFORM_SCANNER_ANAT;
  raw.sform_code = NIFTI_XFORM_SCANNER_ANAT;
  raw.xyzt_units = NIFTI_UNITS_MM;
  raw.scl_slope = static_cast<Real>(image.slope);
  raw.scl_inter = static_cast<Real>(image.intercept);
}

/// Header and the four bytes that say "no extension"; as long as vox_offset.
template <class Raw>
std::vector<std::byte> header_bytes(const StoredImage& image, Raw* made, const char* magic) {
  const std::unique_ptr<Raw, decltype(&std::free)> raw(made, &std::free);
  require<Error>(raw != nullptr, "write_nifti: niftilib cannot make a header");
  fill_header(image, *raw);
  std::vector<std::byte> bytes(sizeof(Raw) + 4);
  raw->vox_offset = static_cast<decltype(raw->vox_offset)>(bytes.size());
  std::memcpy(raw->magic, magic, sizeof(raw->magic));
  std::memcpy(bytes.data(), raw.get(), sizeof(Raw));
  return bytes;
}

std::vector<std::byte> make_header(const StoredImage& image) {
  nifti_set_debug_level(0);
  const SizeVox size = image.grid.size;
  const std::array<std::int64_t, 8> dim{3, size.x, size.y, size.z, 1, 1, 1, 1};
  const int datatype = datatype_of(image.type);
  // NIfTI-1 counts voxels in 16 bits.
  if (std::max({size.x, size.y, size.z}) <= std::numeric_limits<std::int16_t>::max()) {
    return header_bytes(image, nifti_make_new_n1_header(dim.data(), datatype), "n+1");
  }
  return header_bytes(image, nifti_make_new_n2_header(dim.data(), datatype), "n+2\0\r\n\032\n");
}

void check_image(const StoredImage& image, const std::string& where) {
  const SizeVox size = image.grid.size;
  require<DataError>(size.z > 0 && size.y > 0 && size.x > 0,
                     where + ": cannot write an image without voxels");
  const auto wanted = static_cast<std::uint64_t>(count(size)) * bytes_per_voxel(image.type);
  require<DataError>(image.voxels.size() == wanted, where + ": wanted " + std::to_string(wanted) +
                                                        " bytes of voxels to write, found " +
                                                        std::to_string(image.voxels.size()));
  require<DataError>(
      std::isfinite(image.slope) && image.slope != 0 && std::isfinite(image.intercept),
      where + ": cannot write a slope that is 0 or not finite");
  const nifti_dmat44 affine = affine_of(image.grid);
  for (int j = 0; j < 3; ++j) {
    const double step = image.grid.spacing[j];
    require<DataError>(std::isfinite(step) && step > 0,
                       where + ": cannot write a spacing that is not > 0");
    for (int i = 0; i < 3; ++i) {
      require<DataError>(std::isfinite(affine.m[i][j]) && std::isfinite(affine.m[i][3]),
                         where + ": cannot write a position that is not finite");
    }
  }
}

}  // namespace

void write_nifti(const std::filesystem::path& path, const StoredImage& image) {
  static_assert(std::endian::native == std::endian::little, "files are written little-endian");
  const std::string where = path.string();
  const std::string name = path.filename().string();
  const bool gzip = name.ends_with(".nii.gz");
  require<DataError>(!nifti_stem(path).empty() && (gzip || name.ends_with(".nii")),
                     where + ": wanted a name ending in .nii or .nii.gz to write to");
  check_image(image, where);
  const std::vector<std::byte> header = make_header(image);
  write_atomically(path, [&](const std::filesystem::path& temporary) {
    OutputFile file(temporary, where);
    if (gzip) {
      GzipWriter writer(file);
      writer.write(header);
      writer.write(image.voxels);
      writer.finish();
    } else {
      file.write(header);
      file.write(image.voxels);
    }
    file.close();
  });
}

}  // namespace hepar
