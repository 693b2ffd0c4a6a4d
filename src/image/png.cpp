#include "hepar/image/png.h"

#include <itkPNGImageIO.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

constexpr int kMostSide = 65535;

/// Fields of the IHDR chunk; ITK tells neither bit depth nor whether a grey image has a palette.
struct PngHeader {
  std::int64_t columns = 0, rows = 0;
  int bits = 0, colour = 0;
};

std::int64_t big_endian(std::span<const std::byte> bytes) {
  std::int64_t value = 0;
  for (const std::byte byte : bytes.first(4)) {
    value = value * 256 + std::to_integer<int>(byte);
  }
  return value;
}

std::uint32_t crc_of(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
    }
  }
  return ~crc;
}

/// Walks the chunks to IEND and checks their sums: libpng only warns of what is missing at the end.
void check_chunks(std::span<const std::byte> bytes, const std::string& where) {
  constexpr std::size_t kSignature = 8;
  constexpr std::size_t kAround = 12;  // length, name and sum of a chunk
  bool ended = false;
  for (std::size_t at = kSignature; !ended;) {
    require<DataError>(at + kAround <= bytes.size(), where + ": the file ends in the middle");
    const auto length = static_cast<std::size_t>(big_endian(bytes.subspan(at)));
    require<DataError>(length <= bytes.size() - at - kAround,
                       where + ": the file ends in the middle");
    const auto content = bytes.subspan(at + 4, length + 4);
    require<DataError>(big_endian(bytes.subspan(at + 8 + length)) == crc_of(content),
                       where + ": is damaged: the checksum of a part does not match");
    ended = std::equal(content.begin(), content.begin() + 4,
                       std::as_bytes(std::span("IEND", 4)).begin());
    at += length + kAround;
  }
}

PngHeader read_header(const fs::path& path) {
  const std::string where = path.string();
  constexpr std::array<int, 8> kSignature{137, 'P', 'N', 'G', 13, 10, 26, 10};
  const std::vector<std::byte> bytes = read_bytes(path);
  bool is_png = bytes.size() >= 33;
  for (std::size_t i = 0; is_png && i < kSignature.size(); ++i) {
    is_png = std::to_integer<int>(bytes[i]) == kSignature[i];
  }
  require<DataError>(is_png, where + ": wanted a PNG file, found something else");
  check_chunks(bytes, where);
  PngHeader header;
  header.columns = big_endian(std::span(bytes).subspan(16));
  header.rows = big_endian(std::span(bytes).subspan(20));
  header.bits = std::to_integer<int>(bytes[24]);
  header.colour = std::to_integer<int>(bytes[25]);
  require<DataError>(header.colour == 0, where + ": wanted a grey PNG, found colour type " +
                                             std::to_string(header.colour));
  require<DataError>(header.bits == 1 || header.bits == 8,
                     where + ": wanted 1 or 8 bits a pixel, found " + std::to_string(header.bits));
  require<DataError>(header.columns > 0 && header.columns <= kMostSide && header.rows > 0 &&
                         header.rows <= kMostSide,
                     where + ": wanted 1 to 65535 rows and columns, found " +
                         std::to_string(header.rows) + " x " + std::to_string(header.columns));
  return header;
}

/// The last run of digits in a name: 12 in "liver_GT_012.png".
std::optional<std::int64_t> trailing_number(const std::string& stem) {
  const auto last = stem.find_last_of("0123456789");
  if (last == std::string::npos) {
    return std::nullopt;
  }
  const auto before = stem.find_last_not_of("0123456789", last);
  const std::size_t first = before == std::string::npos ? 0 : before + 1;
  constexpr std::size_t kMostDigits = 18;
  return last - first < kMostDigits
             ? std::optional<std::int64_t>(std::stoll(stem.substr(first, last + 1 - first)))
             : std::nullopt;
}

std::map<std::int64_t, fs::path> numbered_files(const fs::path& folder) {
  require<DataError>(fs::is_directory(folder),
                     folder.string() + ": wanted a folder of PNG files, found none");
  std::map<std::int64_t, fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() || name.starts_with(".")) {
      continue;
    }
    require<DataError>(to_lower(name).ends_with(".png"),
                       entry.path().string() + ": wanted PNG files only, found another");
    const auto number = trailing_number(entry.path().stem().string());
    require<DataError>(number.has_value(),
                       entry.path().string() + ": wanted a name that ends in the slice's number");
    const auto [other, is_new] = files.emplace(*number, entry.path());
    require<DataError>(is_new, entry.path().string() + ": has the same number as " +
                                   other->second.filename().string());
  }
  require<DataError>(!files.empty(), folder.string() + ": wanted PNG files, found none");
  return files;
}

}  // namespace

GreyPng read_png(const fs::path& path) {
  const PngHeader header = read_header(path);
  GreyPng image{header.rows, header.columns, header.bits, {}};
  image.pixels.resize(static_cast<std::size_t>(header.rows * header.columns));
  try {
    auto reader = itk::PNGImageIO::New();
    reader->SetFileName(path.string());
    reader->ReadImageInformation();
    require<DataError>(reader->GetImageSizeInBytes() ==
                           static_cast<itk::ImageIOBase::SizeType>(image.pixels.size()),
                       path.string() + ": wanted one byte a pixel after decoding");
    itk::ImageIORegion region(2);
    region.SetSize({static_cast<itk::SizeValueType>(header.columns),
                    static_cast<itk::SizeValueType>(header.rows)});
    reader->SetIORegion(region);
    reader->Read(image.pixels.data());
  } catch (const itk::ExceptionObject& e) {
    throw DataError(path.string() + ": cannot be decoded: " + e.GetDescription());
  }
  if (header.bits == 1) {  // libpng stretches one bit to 0 and 255
    for (std::uint8_t& pixel : image.pixels) {
      pixel = pixel != 0 ? 1 : 0;
    }
  }
  return image;
}

PngStack read_png_stack(const fs::path& folder) {
  PngStack stack;
  stack.volume.type = VoxelType::kUint8;
  std::optional<GreyPng> first;
  std::string first_name;
  for (const auto& entry : numbered_files(folder)) {
    const fs::path& file = entry.second;
    const GreyPng image = read_png(file);
    if (!first) {
      first = GreyPng{image.rows, image.columns, image.bits, {}};
      first_name = file.filename().string();
    }
    require<DataError>(
        image.rows == first->rows && image.columns == first->columns && image.bits == first->bits,
        file.string() + ": wanted " + std::to_string(first->rows) + " x " +
            std::to_string(first->columns) + " pixels of " + std::to_string(first->bits) +
            " bits as in " + first_name + ", found " + std::to_string(image.rows) + " x " +
            std::to_string(image.columns) + " of " + std::to_string(image.bits));
    const auto bytes = std::as_bytes(std::span(image.pixels));
    stack.volume.voxels.insert(stack.volume.voxels.end(), bytes.begin(), bytes.end());
    ++stack.volume.grid.size.z;
  }
  stack.volume.grid.size.y = first->rows;
  stack.volume.grid.size.x = first->columns;
  stack.bits = first->bits;
  return stack;
}

void write_png(const fs::path& path, const GreyPng& image) {
  require<ShapeError>(image.bits == 8 && image.pixels.size() ==
                                             static_cast<std::size_t>(image.rows * image.columns),
                      "write_png: wanted 8 bits and one pixel for each row and column");
  write_atomically(path, [&](const fs::path& temporary) {
    try {
      auto writer = itk::PNGImageIO::New();
      writer->SetFileName(temporary.string());
      writer->SetNumberOfDimensions(2);
      writer->SetDimensions(0, static_cast<unsigned>(image.columns));
      writer->SetDimensions(1, static_cast<unsigned>(image.rows));
      writer->SetPixelType(itk::IOPixelEnum::SCALAR);
      writer->SetComponentType(itk::IOComponentEnum::UCHAR);
      writer->SetNumberOfComponents(1);
      itk::ImageIORegion region(2);
      region.SetSize({static_cast<itk::SizeValueType>(image.columns),
                      static_cast<itk::SizeValueType>(image.rows)});
      writer->SetIORegion(region);
      writer->Write(image.pixels.data());
    } catch (const itk::ExceptionObject& e) {
      throw DataError(path.string() + ": cannot be written: " + e.GetDescription());
    }
  });
}

}  // namespace hepar
