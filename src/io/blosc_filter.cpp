#include "blosc_filter.h"

#include <blosc.h>

#include <cstdlib>
#include <stdexcept>

#include "hdf5_handle.h"

namespace hepar::blosc {

namespace {

constexpr int kFilterRevision = 2;
constexpr int kLevel = 5;

const char* compressor_name(int code) {
  switch (code) {
    case BLOSC_LZ4:
      return BLOSC_LZ4_COMPNAME;
    case BLOSC_LZ4HC:
      return BLOSC_LZ4HC_COMPNAME;
    case BLOSC_ZLIB:
      return BLOSC_ZLIB_COMPNAME;
    case BLOSC_ZSTD:
      return BLOSC_ZSTD_COMPNAME;
    default:
      return BLOSC_BLOSCLZ_COMPNAME;
  }
}

/// The filter as HDF5 calls it: buffers are malloc'ed, 0 means failure.
std::size_t filter(unsigned flags, std::size_t n_values, const unsigned values[], std::size_t bytes,
                   std::size_t* capacity, void** buffer) {
  const bool decoding = (flags & H5Z_FLAG_REVERSE) != 0;
  std::size_t wanted = 0;
  if (decoding) {
    if (blosc_cbuffer_validate(*buffer, bytes, &wanted) != 0) {
      return 0;
    }
  } else {
    if (n_values < 4) {
      return 0;
    }
    wanted = bytes + BLOSC_MAX_OVERHEAD;
  }
  void* out = std::malloc(wanted > 0 ? wanted : 1);
  if (out == nullptr) {
    return 0;
  }
  const int level = n_values > 4 ? static_cast<int>(values[4]) : kLevel;
  const int shuffle = n_values > 5 ? static_cast<int>(values[5]) : BLOSC_SHUFFLE;
  const int code = n_values > 6 ? static_cast<int>(values[6]) : BLOSC_BLOSCLZ;
  const int done = decoding ? blosc_decompress_ctx(*buffer, out, wanted, 1)
                            : blosc_compress_ctx(level, shuffle, values[2], bytes, *buffer, out,
                                                 wanted, compressor_name(code), 0, 1);
  if (done <= 0) {
    std::free(out);
    return 0;
  }
  std::free(*buffer);
  *buffer = out;
  *capacity = wanted;
  return static_cast<std::size_t>(done);
}

int code_of(Compressor compressor) {
  return compressor == Compressor::kLz4 ? BLOSC_LZ4 : BLOSC_ZSTD;
}

}  // namespace

std::array<unsigned, 7> client_values(const Setting& setting) {
  return {kFilterRevision,
          BLOSC_VERSION_FORMAT,
          static_cast<unsigned>(setting.element_bytes),
          static_cast<unsigned>(setting.chunk_bytes),
          kLevel,
          BLOSC_BITSHUFFLE,
          static_cast<unsigned>(code_of(setting.compressor))};
}

void register_filter(const std::string& where) {
  static const H5Z_class2_t description{H5Z_CLASS_T_VERS, kFilterId, 1,       1,
                                        "blosc",          nullptr,   nullptr, filter};
  if (HEPAR_HDF5(where, H5Zfilter_avail, kFilterId) == 0) {
    HEPAR_HDF5(where, H5Zregister, &description);
  }
}

std::vector<std::byte> compress(std::span<const std::byte> chunk, const Setting& setting) {
  std::vector<std::byte> out(chunk.size() + BLOSC_MAX_OVERHEAD);
  const int written = blosc_compress_ctx(kLevel, BLOSC_BITSHUFFLE, setting.element_bytes,
                                         chunk.size(), chunk.data(), out.data(), out.size(),
                                         compressor_name(code_of(setting.compressor)), 0, 1);
  if (written <= 0) {
    throw Error("Blosc could not compress a chunk of " + std::to_string(chunk.size()) +
                " bytes (code " + std::to_string(written) + "); is its " +
                compressor_name(code_of(setting.compressor)) + " support missing?");
  }
  out.resize(static_cast<std::size_t>(written));
  return out;
}

std::string decompress(std::span<const std::byte> stored, std::span<std::byte> out) {
  std::size_t decoded = 0;
  if (blosc_cbuffer_validate(stored.data(), stored.size(), &decoded) != 0) {
    return "has a Blosc header that does not fit its " + std::to_string(stored.size()) +
           " stored bytes";
  }
  if (decoded != out.size()) {
    return "holds " + std::to_string(decoded) + " bytes, wanted " + std::to_string(out.size());
  }
  const int done = blosc_decompress_ctx(stored.data(), out.data(), out.size(), 1);
  if (done < 0 || static_cast<std::size_t>(done) != out.size()) {
    return "cannot be decoded by Blosc (code " + std::to_string(done) + ")";
  }
  return "";
}

}  // namespace hepar::blosc
