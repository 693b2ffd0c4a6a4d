#include "dicom_header.h"

#include <gdcmImageReader.h>
#include <gdcmReader.h>
#include <gdcmTrace.h>
#include <gdcmUIDs.h>

#include <algorithm>

#include "dicom_guard.h"
#include "dicom_structure.h"
#include "dicom_tags.h"
#include "hepar/core/error.h"

namespace hepar::dicom {
namespace {

const gdcm::Tag kSopClass{0x0008, 0x0016};
const gdcm::Tag kImageType{0x0008, 0x0008};
const gdcm::Tag kModality{0x0008, 0x0060};
const gdcm::Tag kSeries{0x0020, 0x000e};
const gdcm::Tag kThickness{0x0018, 0x0050};
const gdcm::Tag kBetween{0x0018, 0x0088};
const gdcm::Tag kPosition{0x0020, 0x0032};
const gdcm::Tag kOrientation{0x0020, 0x0037};
const gdcm::Tag kSamples{0x0028, 0x0002};
const gdcm::Tag kPhotometric{0x0028, 0x0004};
const gdcm::Tag kFrames{0x0028, 0x0008};
const gdcm::Tag kRows{0x0028, 0x0010};
const gdcm::Tag kColumns{0x0028, 0x0011};
const gdcm::Tag kPixelSpacing{0x0028, 0x0030};
const gdcm::Tag kBitsAllocated{0x0028, 0x0100};
const gdcm::Tag kSigned{0x0028, 0x0103};
const gdcm::Tag kIntercept{0x0028, 0x1052};
const gdcm::Tag kSlope{0x0028, 0x1053};
const gdcm::Tag kPixelData{0x7fe0, 0x0010};

// Functional groups of enhanced files, and the sequences in them.
const gdcm::Tag kSharedGroups{0x5200, 0x9229};
const gdcm::Tag kFrameGroups{0x5200, 0x9230};
const gdcm::Tag kPositionGroup{0x0020, 0x9113};
const gdcm::Tag kOrientationGroup{0x0020, 0x9116};
const gdcm::Tag kMeasuresGroup{0x0028, 0x9110};
const gdcm::Tag kValueGroup{0x0028, 0x9145};

/// GDCM writes its opinions to stderr; ours are in the errors.
void silence_gdcm() {
  static const bool kDone = [] {
    gdcm::Trace::DebugOff();
    gdcm::Trace::WarningOff();
    gdcm::Trace::ErrorOff();
    return true;
  }();
  (void)kDone;
}

/// Geometry of one frame: its own functional group, then the shared one, then the file itself.
class FrameLookup {
 public:
  FrameLookup(const gdcm::DataSet& data, std::string where)
      : data_(data),
        where_(std::move(where)),
        shared_(sequence_of(data, kSharedGroups)),
        frames_(sequence_of(data, kFrameGroups)) {}

  [[nodiscard]] std::size_t groups() const { return frames_ ? frames_->GetNumberOfItems() : 0; }

  [[nodiscard]] Plane plane(std::int64_t frame) const {
    Plane plane;
    plane.frame = frame;
    if (const auto values = find(frame, kPositionGroup, kPosition, 3)) {
      plane.first = Point{values->at(0), values->at(1), values->at(2)};
    }
    if (const auto values = find(frame, kOrientationGroup, kOrientation, 6)) {
      plane.directions.emplace();
      std::copy(values->begin(), values->end(), plane.directions->begin());
    }
    if (const auto values = find(frame, kMeasuresGroup, kPixelSpacing, 2)) {
      plane.spacing = {values->at(0), values->at(1)};
    }
    plane.between = one(frame, kMeasuresGroup, kBetween);
    plane.thickness = one(frame, kMeasuresGroup, kThickness);
    plane.slope = one(frame, kValueGroup, kSlope).value_or(1);
    plane.intercept = one(frame, kValueGroup, kIntercept).value_or(0);
    require<DataError>(plane.slope != 0, where_ +
                                             ": (0028,1053) RescaleSlope: wanted a number "
                                             "other than 0");
    return plane;
  }

 private:
  using Numbers = std::optional<std::vector<double>>;

  [[nodiscard]] Numbers in_item(const gdcm::SmartPointer<gdcm::SequenceOfItems>& items,
                                std::size_t item, gdcm::Tag group,
                                const std::pair<gdcm::Tag, std::size_t>& wanted) const {
    if (!items || item >= items->GetNumberOfItems()) {
      return std::nullopt;
    }
    const auto inner = sequence_of(items->GetItem(item + 1).GetNestedDataSet(), group);
    if (!inner || inner->GetNumberOfItems() == 0) {
      return std::nullopt;
    }
    return numbers_of(inner->GetItem(1).GetNestedDataSet(), wanted.first, wanted.second, where_);
  }

  [[nodiscard]] Numbers find(std::int64_t frame, gdcm::Tag group, gdcm::Tag tag,
                             std::size_t n) const {
    if (auto own = in_item(frames_, static_cast<std::size_t>(frame), group, {tag, n})) {
      return own;
    }
    if (auto shared = in_item(shared_, 0, group, {tag, n})) {
      return shared;
    }
    return numbers_of(data_, tag, n, where_);
  }

  [[nodiscard]] std::optional<double> one(std::int64_t frame, gdcm::Tag group,
                                          gdcm::Tag tag) const {
    const Numbers values = find(frame, group, tag, 1);
    return values ? std::optional(values->front()) : std::nullopt;
  }

  const gdcm::DataSet& data_;
  std::string where_;
  gdcm::SmartPointer<gdcm::SequenceOfItems> shared_, frames_;
};

VoxelType type_of(std::int64_t bits, bool is_signed, const std::string& where) {
  switch (bits) {
    case 8:
      return is_signed ? VoxelType::kInt8 : VoxelType::kUint8;
    case 16:
      return is_signed ? VoxelType::kInt16 : VoxelType::kUint16;
    case 32:
      return is_signed ? VoxelType::kInt32 : VoxelType::kUint32;
    default:
      throw DataError(where + ": wanted pixels of 8, 16 or 32 bits, found " + std::to_string(bits));
  }
}

bool is_signed(VoxelType type) {
  return type == VoxelType::kInt8 || type == VoxelType::kInt16 || type == VoxelType::kInt32;
}

std::string kind_of(const gdcm::DataSet& data) {
  const auto uid = text_of(data, kSopClass);
  gdcm::UIDs known;
  const bool is_known = uid && known.SetFromUID(uid->c_str()) && known.GetName() != nullptr;
  return is_known ? known.GetName() : uid.value_or("an object without SOP class");
}

void require_grey_image(const gdcm::DataSet& data, const std::string& where) {
  require<DataError>(
      short_of(data, kRows).value_or(0) > 0 && short_of(data, kColumns).value_or(0) > 0 &&
          short_of(data, kBitsAllocated),
      where + ": wanted a DICOM image, found " + kind_of(data) + " without rows and columns");
  // Doses have grey levels too, but their geometry and scale have tags of their own.
  require<DataError>(text_of(data, kModality).value_or("") != "RTDOSE",
                     where + ": wanted a DICOM image, found " + kind_of(data));
  const std::string photometric = text_of(data, kPhotometric).value_or("MONOCHROME2");
  require<DataError>(
      short_of(data, kSamples).value_or(1) == 1 && photometric.starts_with("MONOCHROME"),
      where + ": wanted a grey image, found " + photometric + " of " +
          std::to_string(short_of(data, kSamples).value_or(1)) + " samples a pixel");
}

std::int64_t frames_of(const gdcm::DataSet& data, const std::string& where) {
  constexpr double kMost = 1 << 24;
  const auto values = numbers_of(data, kFrames, 1, where);
  const double frames = values ? values->front() : 1;
  require<DataError>(
      frames >= 1 && frames <= kMost && frames == static_cast<double>(static_cast<int>(frames)),
      where + ": (0028,0008) NumberOfFrames: wanted a whole number from 1, found '" +
          text_of(data, kFrames).value_or("") + "'");
  return static_cast<std::int64_t>(frames);
}

bool is_packed(const gdcm::TransferSyntax& syntax) {
  return syntax.IsEncapsulated() || syntax == gdcm::TransferSyntax::DeflatedExplicitVRLittleEndian;
}

/// What a file can decode to at most: keeps a damaged header from asking for all memory.
void require_plausible_size(const FileHeader& header, const gdcm::TransferSyntax& syntax) {
  constexpr std::uintmax_t kMostPerByte = 5000;  // an empty image compresses about that well
  const auto wanted = static_cast<std::uintmax_t>(header.rows * header.columns) *
                      header.planes.size() * bytes_per_voxel(header.type);
  const std::uintmax_t there =
      std::filesystem::file_size(header.path) * (is_packed(syntax) ? kMostPerByte : 1);
  require<DataError>(wanted <= there, header.path.string() + ": wanted " + std::to_string(wanted) +
                                          " bytes of pixels, found at most " +
                                          std::to_string(there) +
                                          "; the file is cut short or its "
                                          "header is wrong");
}

FileHeader parse(const gdcm::File& file, const std::filesystem::path& path) {
  const std::string where = path.string();
  const gdcm::DataSet& data = file.GetDataSet();
  require_grey_image(data, where);
  FileHeader header;
  header.path = path;
  header.series = text_of(data, kSeries).value_or("");
  header.rows = *short_of(data, kRows);
  header.columns = *short_of(data, kColumns);
  header.type =
      type_of(*short_of(data, kBitsAllocated), short_of(data, kSigned).value_or(0) == 1, where);
  const std::int64_t frames = frames_of(data, where);
  const FrameLookup lookup(data, where);
  require<DataError>(frames == 1 || lookup.groups() == static_cast<std::size_t>(frames),
                     where + ": " + std::to_string(frames) +
                         " frames: wanted as many per-frame functional groups (they say where a "
                         "frame lies), found " +
                         std::to_string(lookup.groups()));
  for (std::int64_t frame = 0; frame < frames; ++frame) {
    header.planes.push_back(lookup.plane(frame));
    header.planes.back().name =
        where + (frames > 1 ? " (frame " + std::to_string(frame + 1) + ")" : "");
  }
  if (text_of(data, kPhotometric).value_or("").starts_with("MONOCHROME1")) {
    header.notes.emplace_back("MONOCHROME1: low values are meant to be shown bright");
  }
  if (text_of(data, kImageType).value_or("").find("MOSAIC") != std::string::npos) {
    header.notes.emplace_back(
        "a mosaic of many slices in one image: its tiles are not taken apart");
  }
  require_plausible_size(header, file.GetHeader().GetDataSetTransferSyntax());
  return header;
}

}  // namespace

FileHeader read_header(const std::filesystem::path& path) {
  silence_gdcm();
  const Structure structure = check_structure(path);
  try {
    gdcm::Reader reader;
    reader.SetFileName(path.c_str());
    require<DataError>(
        reader.ReadUpToTag(kPixelData),
        path.string() + ": wanted a DICOM file, found something else or a damaged one");
    FileHeader header = parse(reader.GetFile(), path);
    header.pixel_bytes = structure.pixel_bytes;
    return header;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    throw DataError(path.string() + ": cannot be read as DICOM: " + e.what());
  }
}

void read_pixels(const FileHeader& header, std::span<std::byte> out) {
  silence_gdcm();
  const std::string where = header.path.string();
  try {
    gdcm::ImageReader reader;
    reader.SetFileName(header.path.c_str());
    require<DataError>(reader.Read(), where +
                                          ": its pixels are missing, damaged, or of an encoding "
                                          "that cannot be decoded");
    const gdcm::Image& image = reader.GetImage();
    const gdcm::TransferSyntax& syntax = reader.GetFile().GetHeader().GetDataSetTransferSyntax();
    require<DataError>(is_packed(syntax) || header.pixel_bytes >= out.size(),
                       where + ": wanted " + std::to_string(out.size()) +
                           " bytes of pixels, found " + std::to_string(header.pixel_bytes));
    require_same_sign(image.GetDataElement(), is_signed(header.type), where);
    const gdcm::PixelFormat& format = image.GetPixelFormat();
    const VoxelType type =
        type_of(format.GetBitsAllocated(), format.GetPixelRepresentation() == 1, where);
    require<DataError>(type == header.type && image.GetBufferLength() == out.size(),
                       where + ": wanted " + std::to_string(out.size()) + " bytes of " +
                           to_string(header.type) + " as its header says, found " +
                           std::to_string(image.GetBufferLength()) + " of " + to_string(type));
    require<DataError>(image.GetBuffer(reinterpret_cast<char*>(out.data())),
                       where + ": its pixels cannot be decoded: " + syntax.GetString());
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    throw DataError(where + ": its pixels cannot be decoded: " + e.what());
  }
}

}  // namespace hepar::dicom
