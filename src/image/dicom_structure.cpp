#include "dicom_structure.h"

#include <gdcmUIDs.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <string_view>

#include "hepar/core/error.h"

namespace hepar::dicom {
namespace {

constexpr std::size_t kPreamble = 132;
constexpr std::size_t kUndefined = 0xFFFFFFFF;
constexpr std::size_t kItem = 0xFFFEE000;
constexpr std::size_t kItemEnd = 0xFFFEE00D;
constexpr std::size_t kSequenceEnd = 0xFFFEE0DD;
constexpr std::size_t kPixels = 0x7FE00010;
constexpr std::size_t kStorageClass = 0x00020002;
constexpr std::size_t kSyntax = 0x00020010;

constexpr std::string_view kShortKinds =
    "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US";
constexpr std::string_view kLongKinds = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";

bool is_one_of(std::string_view kinds, std::string_view kind) {
  for (std::size_t at = 0; at < kinds.size(); at += 3) {
    if (kinds.substr(at, 2) == kind) {
      return true;
    }
  }
  return false;
}

struct Encoding {
  bool is_explicit = true;
  bool big_endian = false;
};

struct Element {
  std::size_t tag = 0, value = 0, length = 0;  ///< `value` is its first byte's place
  std::string kind;
};

class Walk {
 public:
  explicit Walk(const std::filesystem::path& path) : where_(path.string()) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
  }

  Structure run() {
    require<DataError>(bytes_.size() >= kPreamble && bytes_.compare(kPreamble - 4, 4, "DICM") == 0,
                       where_ + ": wanted a DICOM file, found no 'DICM' at byte 128");
    const std::size_t at = meta_information();
    require<DataError>(!found_.syntax.empty(), where_ + ": says no transfer syntax (0002,0010)");
    require<DataError>(at < bytes_.size(), where_ + ": ends after its meta information");
    if (found_.syntax != "1.2.840.10008.1.2.1.99") {  // deflated
      const Encoding encoding{found_.syntax != "1.2.840.10008.1.2",
                              found_.syntax == "1.2.840.10008.1.2.2"};
      elements(at, bytes_.size(), encoding, 0);
      require<DataError>(has_pixels_,
                         where_ + ": wanted a DICOM image, found " + kind() + " without pixels");
    }
    return found_;
  }

 private:
  [[nodiscard]] std::size_t number(std::size_t at, std::size_t n, bool big_endian) const {
    require<DataError>(at + n <= bytes_.size(), cut_short(at));
    std::size_t value = 0;
    for (std::size_t i = 0; i < n; ++i) {
      value = value * 256 + static_cast<unsigned char>(bytes_[at + (big_endian ? i : n - 1 - i)]);
    }
    return value;
  }

  [[nodiscard]] std::size_t tag(std::size_t at, const Encoding& encoding) const {
    return number(at, 2, encoding.big_endian) << 16U | number(at + 2, 2, encoding.big_endian);
  }

  [[nodiscard]] std::string cut_short(std::size_t at) const {
    return where_ + ": is cut short or damaged: an element at byte " + std::to_string(at) + " of " +
           std::to_string(bytes_.size()) + " does not fit into what holds it";
  }

  [[nodiscard]] Element element(std::size_t at, const Encoding& encoding) const {
    Element found;
    found.tag = tag(at, encoding);
    const bool is_explicit = encoding.is_explicit && found.tag >> 16U != 0xFFFE;
    require<DataError>(at + 8 <= bytes_.size(), cut_short(at));
    if (!is_explicit) {
      found.length = number(at + 4, 4, encoding.big_endian);
      found.value = at + 8;
      return found;
    }
    found.kind = bytes_.substr(at + 4, 2);
    const bool is_long = is_one_of(kLongKinds, found.kind);
    require<DataError>(is_long || is_one_of(kShortKinds, found.kind),
                       where_ + ": is damaged: the element at byte " + std::to_string(at) +
                           " has no known value representation");
    found.length =
        is_long ? number(at + 8, 4, encoding.big_endian) : number(at + 6, 2, encoding.big_endian);
    found.value = at + (is_long ? 12 : 8);
    return found;
  }

  /// Fills what the meta information says and returns where it ends.
  std::size_t meta_information() {
    std::size_t at = kPreamble;
    while (at + 8 <= bytes_.size() && number(at, 2, false) == 2) {
      const Element found = element(at, {});
      require<DataError>(
          found.value <= bytes_.size() && found.length <= bytes_.size() - found.value,
          cut_short(at));
      std::string value = bytes_.substr(found.value, found.length);
      value.resize(std::min(value.find_last_not_of(std::string(" \0", 2)) + 1, value.size()));
      require<DataError>(found.tag != kStorageClass || value != "1.2.840.10008.1.3.10",
                         where_ + ": wanted a DICOM image, found a DICOMDIR");
      if (found.tag == kSyntax) {
        found_.syntax = value;
      } else if (found.tag == kStorageClass) {
        storage_class_ = value;
      }
      at = found.value + found.length;
    }
    return at;
  }

  /// Elements from `at` to `end`, or to the item's end mark where that comes first; returns where
  /// they end.
  std::size_t elements(std::size_t at, std::size_t end, const Encoding& encoding, int depth) {
    constexpr int kDeepest = 32;
    require<DataError>(depth <= kDeepest, where_ + ": its sequences are nested too deeply");
    constexpr std::size_t kTag = 4;
    while (at < end) {
      if (depth == 0 && has_pixels_ && end - at < kTag) {
        return end;  // a padding byte or two after the pixels harm nobody
      }
      const Element found = element(at, encoding);
      require<DataError>(found.value <= end, cut_short(at));
      if (found.tag == kItemEnd) {
        return found.value;
      }
      if (depth == 0 && found.tag == kPixels) {
        at = pixels(at, found, end);
        continue;
      }
      if (found.length == kUndefined) {
        // An unknown element of undefined length holds implicit little-endian items.
        const Encoding inner = found.kind == "UN" ? Encoding{false, false} : encoding;
        at = items(found.value, end, inner, depth + 1);
      } else {
        require<DataError>(found.length <= end - found.value, cut_short(at));
        if (found.kind == "SQ") {
          items(found.value, found.value + found.length, encoding, depth + 1);
        }
        at = found.value + found.length;
      }
    }
    return at;
  }

  /// Items of a sequence up to its end mark or `end`.
  std::size_t items(std::size_t at, std::size_t end, const Encoding& encoding, int depth) {
    while (at < end) {
      const Element found = element(at, encoding);
      require<DataError>(found.value <= end, cut_short(at));
      if (found.tag == kSequenceEnd) {
        return found.value;
      }
      require<DataError>(found.tag == kItem, cut_short(at));
      if (found.length == kUndefined) {
        at = elements(found.value, end, encoding, depth);
      } else {
        require<DataError>(found.length <= end - found.value, cut_short(at));
        elements(found.value, found.value + found.length, encoding, depth);
        at = found.value + found.length;
      }
    }
    return at;
  }

  [[nodiscard]] std::string kind() const {
    gdcm::UIDs known;
    const bool is_known = known.SetFromUID(storage_class_.c_str()) && known.GetName() != nullptr;
    return is_known ? known.GetName() : "an object of class '" + storage_class_ + "'";
  }

  /// Returns where the pixels end.
  std::size_t pixels(std::size_t at, const Element& found, std::size_t end) {
    has_pixels_ = true;
    if (found.length != kUndefined) {
      require<DataError>(found.length <= end - found.value, cut_short(at));
      found_.pixel_bytes = found.length;
      return found.value + found.length;
    }
    const Encoding little{};
    std::size_t fragment = found.value;
    for (;;) {
      const Element item = element(fragment, little);
      if (item.tag == kSequenceEnd) {
        return item.value;
      }
      require<DataError>(item.tag == kItem && item.value <= end && item.length <= end - item.value,
                         cut_short(fragment));
      fragment = item.value + item.length;
    }
  }

  std::string where_;
  std::string bytes_;
  std::string storage_class_;
  bool has_pixels_ = false;
  Structure found_;
};

}  // namespace

Structure check_structure(const std::filesystem::path& path) { return Walk(path).run(); }

}  // namespace hepar::dicom
