#include <gdcmWriter.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/image/dicom.h"

namespace hepar {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMrImageStorage = "1.2.840.10008.5.1.4.1.1.4";

void put(gdcm::DataSet& data, gdcm::Tag tag, gdcm::VR vr, std::string text) {
  if (text.size() % 2 != 0) {
    text += vr == gdcm::VR::UI ? '\0' : ' ';
  }
  gdcm::DataElement element(tag);
  element.SetVR(vr);
  element.SetByteValue(text.data(), gdcm::VL(static_cast<std::uint32_t>(text.size())));
  data.Replace(element);
}

void put_short(gdcm::DataSet& data, gdcm::Tag tag, std::int64_t value) {
  const auto stored = static_cast<std::uint16_t>(value);
  std::string bytes(sizeof stored, '\0');
  std::memcpy(bytes.data(), &stored, sizeof stored);
  put(data, tag, gdcm::VR::US, bytes);
}

/// A DICOM decimal string: at most 16 characters.
std::string decimal(double value) {
  std::array<char, 40> text{};
  for (int digits = 15; digits > 4; --digits) {
    const int length = std::snprintf(text.data(), text.size(), "%.*g", digits, value + 0.0);
    if (length <= 16) {
      break;
    }
  }
  return text.data();
}

std::string decimals(std::initializer_list<double> values) {
  std::string text;
  for (const double value : values) {
    if (!text.empty()) {
      text += '\\';
    }
    text += decimal(value);
  }
  return text;
}

void put_identity(gdcm::DataSet& data, const DicomSeries& series, std::int64_t slice) {
  using gdcm::VR;
  put(data, {0x0008, 0x0008}, VR::CS, "ORIGINAL\\PRIMARY");
  put(data, {0x0008, 0x0016}, VR::UI, kMrImageStorage);
  put(data, {0x0008, 0x0018}, VR::UI, dicom_uid(series.series_uid + "/" + std::to_string(slice)));
  put(data, {0x0008, 0x0060}, VR::CS, "MR");
  put(data, {0x0008, 0x103e}, VR::LO, series.description);
  put(data, {0x0010, 0x0010}, VR::PN, series.patient);
  put(data, {0x0010, 0x0020}, VR::LO, series.patient);
  put(data, {0x0018, 0x0081}, VR::DS, decimal(series.echo_time_ms));
  put(data, {0x0020, 0x000d}, VR::UI, series.study_uid);
  put(data, {0x0020, 0x000e}, VR::UI, series.series_uid);
  put(data, {0x0020, 0x0011}, VR::IS, std::to_string(series.number));
  put(data, {0x0020, 0x0013}, VR::IS, std::to_string(slice + 1));
}

void put_geometry(gdcm::DataSet& data, const Grid& grid, std::int64_t slice) {
  using gdcm::VR;
  const WorldMm first = to_world(grid, static_cast<double>(slice), 0, 0);
  const WorldMm& x = grid.axis[2];
  const WorldMm& y = grid.axis[1];
  put(data, {0x0018, 0x0050}, VR::DS, decimal(grid.spacing.z));
  put(data, {0x0020, 0x0032}, VR::DS, decimals({-first.r, -first.a, first.s}));
  put(data, {0x0020, 0x0037}, VR::DS, decimals({-x.r, -x.a, x.s, -y.r, -y.a, y.s}));
  put(data, {0x0028, 0x0030}, VR::DS, decimals({grid.spacing.y, grid.spacing.x}));
}

void put_pixels(gdcm::DataSet& data, const StoredImage& image, std::int64_t slice) {
  using gdcm::VR;
  constexpr std::int64_t kBits = 16;
  put_short(data, {0x0028, 0x0002}, 1);
  put(data, {0x0028, 0x0004}, VR::CS, "MONOCHROME2");
  put_short(data, {0x0028, 0x0010}, image.grid.size.y);
  put_short(data, {0x0028, 0x0011}, image.grid.size.x);
  put_short(data, {0x0028, 0x0100}, kBits);
  put_short(data, {0x0028, 0x0101}, kBits);
  put_short(data, {0x0028, 0x0102}, kBits - 1);
  put_short(data, {0x0028, 0x0103}, image.type == VoxelType::kInt16 ? 1 : 0);
  const auto bytes = static_cast<std::size_t>(image.grid.size.y * image.grid.size.x) * 2;
  std::string pixels(bytes, '\0');
  std::memcpy(pixels.data(), image.voxels.data() + static_cast<std::size_t>(slice) * bytes, bytes);
  put(data, {0x7fe0, 0x0010}, VR::OW, std::move(pixels));
}

void write_slice(const fs::path& path, const StoredImage& image, const DicomSeries& series,
                 std::int64_t slice) {
  gdcm::Writer writer;
  gdcm::File& file = writer.GetFile();
  put_identity(file.GetDataSet(), series, slice);
  put_geometry(file.GetDataSet(), image.grid, slice);
  put_pixels(file.GetDataSet(), image, slice);
  file.GetHeader().SetDataSetTransferSyntax(gdcm::TransferSyntax::ImplicitVRLittleEndian);
  // Named here, or GDCM would write its own version and the bytes would change with it.
  put(file.GetHeader(), {0x0002, 0x0012}, gdcm::VR::UI, dicom_uid("hepar"));
  put(file.GetHeader(), {0x0002, 0x0013}, gdcm::VR::SH, "HEPAR");
  writer.SetFileName(path.c_str());
  require<DataError>(writer.Write(), path.string() + ": cannot be written");
}

void require_writable(const StoredImage& image, const DicomSeries& series) {
  const SizeVox size = image.grid.size;
  require<ShapeError>(image.type == VoxelType::kInt16 || image.type == VoxelType::kUint16,
                      "write_dicom_series: wanted int16 or uint16, found " + to_string(image.type));
  require<ShapeError>(image.slope == 1 && image.intercept == 0,
                      "write_dicom_series: wanted no slope and no intercept");
  require<ShapeError>(size.x <= 65535 && size.y <= 65535 &&
                          image.voxels.size() == static_cast<std::size_t>(count(size)) * 2,
                      "write_dicom_series: wanted at most 65535 rows and columns, and all voxels");
  require<ShapeError>(static_cast<std::int64_t>(series.files.size()) == size.z,
                      "write_dicom_series: wanted a file name for each of " +
                          std::to_string(size.z) + " slices, found " +
                          std::to_string(series.files.size()));
  const auto& [z, y, x] = image.grid.axis;
  const double volume =
      z.r * (x.a * y.s - x.s * y.a) + z.a * (x.s * y.r - x.r * y.s) + z.s * (x.r * y.a - x.a * y.r);
  require<ShapeError>(volume > 0,
                      "write_dicom_series: wanted right-handed axes (x, y, z): DICOM "
                      "cannot say otherwise; turn one axis round first");
}

}  // namespace

std::string dicom_uid(const std::string& text) { return "2.25." + std::to_string(xxh64(text)); }

void write_dicom_series(const fs::path& folder, const StoredImage& image,
                        const DicomSeries& series) {
  require_writable(image, series);
  const fs::path partial = folder.string() + ".partial";
  fs::remove_all(partial);
  fs::create_directories(partial);
  for (std::int64_t slice = 0; slice < image.grid.size.z; ++slice) {
    write_slice(partial / series.files[static_cast<std::size_t>(slice)], image, series, slice);
  }
  fs::rename(partial, folder);
}

}  // namespace hepar
