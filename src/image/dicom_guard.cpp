#include "dicom_guard.h"

#include <gdcmSequenceOfFragments.h>

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "hepar/core/error.h"

namespace hepar::dicom {
namespace {

constexpr std::size_t kPreamble = 132;

std::vector<unsigned char> first_bytes(const std::filesystem::path& path) {
  constexpr std::size_t kMost = 64 * 1024;  // meta information is some hundred bytes
  std::vector<unsigned char> bytes(kMost);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

/// Little-endian number of `n` bytes; the caller has checked that they are there.
std::size_t number_at(const std::vector<unsigned char>& bytes, std::size_t at, int n) {
  std::size_t value = 0;
  for (int i = n - 1; i >= 0; --i) {
    value = value * 256 + bytes[at + static_cast<std::size_t>(i)];
  }
  return value;
}

/// An element of the meta information, which is always explicit and little-endian.
struct MetaElement {
  std::size_t element = 0, first = 0, length = 0;
};

MetaElement meta_element(const std::vector<unsigned char>& bytes, std::size_t at) {
  const std::string kind{static_cast<char>(bytes[at + 4]), static_cast<char>(bytes[at + 5])};
  const bool is_long = kind == "OB" || kind == "UN" || kind == "OW" || kind == "SQ";
  return {number_at(bytes, at + 2, 2), at + (is_long ? 12U : 8U),
          number_at(bytes, at + (is_long ? 8 : 6), is_long ? 4 : 2)};
}

/// A number of four bytes.
std::size_t number_at(const std::string& bytes, std::size_t at, bool big_endian) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value * 256 + static_cast<unsigned char>(bytes[at + (big_endian ? i : 3 - i)]);
  }
  return value;
}

}  // namespace

void require_dicom_file(const std::filesystem::path& path) {
  constexpr std::size_t kLongestHead = 12;
  constexpr std::size_t kStorageClass = 0x0002;
  const std::vector<unsigned char> bytes = first_bytes(path);
  require<DataError>(
      bytes.size() > kPreamble + kLongestHead && std::memcmp(&bytes[kPreamble - 4], "DICM", 4) == 0,
      path.string() + ": wanted a DICOM file, found no 'DICM' at byte 128");
  std::size_t at = kPreamble;
  while (at + kLongestHead <= bytes.size() && number_at(bytes, at, 2) == 2) {
    const MetaElement element = meta_element(bytes, at);
    require<DataError>(element.length <= bytes.size() - element.first,
                       path.string() + ": its meta information ends in the middle");
    const std::string value(
        bytes.begin() + static_cast<std::ptrdiff_t>(element.first),
        bytes.begin() + static_cast<std::ptrdiff_t>(element.first + element.length));
    require<DataError>(
        element.element != kStorageClass || !value.starts_with("1.2.840.10008.1.3.10"),
        path.string() + ": wanted a DICOM image, found a DICOMDIR");
    at = element.first + element.length;
  }
  require<DataError>(at + 8 <= bytes.size(), path.string() + ": ends after its meta information");
}

void require_whole_pixels(const std::filesystem::path& path, std::size_t length) {
  constexpr std::array<unsigned char, 4> kLittle{0xe0, 0x7f, 0x10, 0x00};
  constexpr std::array<unsigned char, 4> kBig{0x7f, 0xe0, 0x00, 0x10};
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto is_whole = [&](const std::array<unsigned char, 4>& tag) {
    const std::string wanted(tag.begin(), tag.end());
    const bool big = tag == kBig;
    // Pixels may hold the tag's bytes by chance; the length behind it tells the element itself.
    for (auto at = bytes.find(wanted); at != std::string::npos; at = bytes.find(wanted, at + 1)) {
      for (const std::size_t head : {8, 12}) {  // implicit, explicit
        if (at + head > bytes.size()) {
          continue;
        }
        const std::size_t there = number_at(bytes, at + head - 4, big);
        if (there >= length && there <= bytes.size() - at - head) {
          return true;
        }
      }
    }
    return false;
  };
  require<DataError>(is_whole(kLittle) || is_whole(kBig),
                     path.string() + ": the file is cut short: wanted " + std::to_string(length) +
                         " bytes of pixels");
}

void require_same_sign(const gdcm::DataElement& pixels, bool header_signed,
                       const std::string& where) {
  constexpr std::size_t kDepthAt = 42;  // Ssiz: after SOC, SIZ, its length, 9 fields and the count
  const gdcm::SequenceOfFragments* fragments = pixels.GetSequenceOfFragments();
  if (fragments == nullptr || fragments->GetNumberOfFragments() == 0) {
    return;
  }
  const gdcm::ByteValue* bytes = fragments->GetFragment(0).GetByteValue();
  if (bytes == nullptr || bytes->GetLength() <= kDepthAt) {
    return;
  }
  std::array<unsigned char, kDepthAt + 1> start{};
  std::memcpy(start.data(), bytes->GetPointer(), start.size());
  const bool is_codestream =
      start[0] == 0xFF && start[1] == 0x4F && start[2] == 0xFF && start[3] == 0x51;
  const bool stream_signed = (start[kDepthAt] & 0x80U) != 0;
  require<DataError>(!is_codestream || stream_signed == header_signed,
                     where + ": its header says " + (header_signed ? "signed" : "unsigned") +
                         " pixels, its JPEG 2000 stream says the opposite");
}

}  // namespace hepar::dicom
