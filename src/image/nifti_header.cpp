#include "nifti_header.h"

#include <nifti2_io.h>

#include <algorithm>
#include <cstring>

#include "hepar/core/error.h"

namespace hepar::nifti {
namespace {

static_assert(sizeof(nifti_1_header) == kHeaderBytes1 && sizeof(nifti_2_header) == kHeaderBytes2);

std::int32_t first_int(std::span<const std::byte> bytes, bool swapped) {
  std::array<std::byte, 4> four{};
  std::copy_n(bytes.begin(), 4, four.begin());
  if (swapped) {
    std::reverse(four.begin(), four.end());
  }
  std::int32_t value = 0;
  std::memcpy(&value, four.data(), 4);
  return value;
}

/// The two header structs name their fields alike and differ in width only.
template <class Raw>
void copy_fields(const Raw& raw, Header& header) {
  std::copy(std::begin(raw.dim), std::end(raw.dim), header.dim.begin());
  std::copy(std::begin(raw.pixdim), std::end(raw.pixdim), header.pixdim.begin());
  header.datatype = raw.datatype;
  header.bitpix = raw.bitpix;
  header.vox_offset = static_cast<double>(raw.vox_offset);
  header.slope = static_cast<double>(raw.scl_slope);
  header.intercept = static_cast<double>(raw.scl_inter);
  header.units = raw.xyzt_units & 0x07;
  header.qform_code = raw.qform_code;
  header.sform_code = raw.sform_code;
  header.quaternion = {raw.quatern_b, raw.quatern_c, raw.quatern_d};
  header.offset = {raw.qoffset_x, raw.qoffset_y, raw.qoffset_z};
  std::copy_n(raw.srow_x, 4, header.srow[0].begin());
  std::copy_n(raw.srow_y, 4, header.srow[1].begin());
  std::copy_n(raw.srow_z, 4, header.srow[2].begin());
}

/// Sets header.single from the magic of version 1. An Analyze header has the length of a NIfTI-1
/// one and no magic; it does not say left from right.
void check_magic_1(const char* magic, const std::string& where, Header& header) {
  header.single = std::memcmp(magic, "n+1", 4) == 0;
  if (header.single || std::memcmp(magic, "ni1", 4) == 0) {
    return;
  }
  const bool analyze = std::all_of(magic, magic + 4, [](char c) { return c == 0; });
  throw DataError(where + (analyze ? ": an Analyze 7.5 header, which does not say left from right; "
                                     "wanted NIfTI (convert the file)"
                                   : ": magic is neither \"n+1\" nor \"ni1\": not a NIfTI-1 file"));
}

void check_magic_2(const char* magic, const std::string& where, Header& header) {
  header.single = std::memcmp(magic, "n+2", 4) == 0;
  require<DataError>(header.single || std::memcmp(magic, "ni2", 4) == 0,
                     where + ": magic is neither \"n+2\" nor \"ni2\": not a NIfTI-2 file");
  // These four bytes are there to show a transfer in text mode, which changes line ends.
  require<DataError>(std::memcmp(magic + 4, "\r\n\032\n", 4) == 0,
                     where +
                         ": the magic's last four bytes are wrong: damaged by a transfer in text "
                         "mode? Copy the file again");
}

}  // namespace

std::size_t header_bytes(std::span<const std::byte> first_four) {
  for (const bool swapped : {false, true}) {
    const std::int32_t length = first_int(first_four, swapped);
    if (length == static_cast<std::int32_t>(kHeaderBytes1) ||
        length == static_cast<std::int32_t>(kHeaderBytes2)) {
      return static_cast<std::size_t>(length);
    }
  }
  return 0;
}

Header parse_header(std::span<const std::byte> bytes, const std::string& where) {
  const std::size_t length = bytes.size() < 4 ? 0 : header_bytes(bytes);
  require<DataError>(length > 0 && bytes.size() >= length, where + ": not a whole NIfTI header");
  Header header;
  header.version = length == kHeaderBytes1 ? 1 : 2;
  header.swapped = first_int(bytes, false) != static_cast<std::int32_t>(length);
  std::copy_n(bytes.begin(), length, header.native.begin());
  if (header.version == 1) {
    nifti_1_header raw;
    std::memcpy(&raw, bytes.data(), length);
    if (header.swapped) {
      nifti_swap_as_nifti1(&raw);
    }
    check_magic_1(raw.magic, where, header);
    copy_fields(raw, header);
    std::memcpy(header.native.data(), &raw, length);
  } else {
    nifti_2_header raw;
    std::memcpy(&raw, bytes.data(), length);
    if (header.swapped) {
      nifti_swap_as_nifti2(&raw);
    }
    check_magic_2(raw.magic, where, header);
    copy_fields(raw, header);
    std::memcpy(header.native.data(), &raw, length);
  }
  return header;
}

}  // namespace hepar::nifti
