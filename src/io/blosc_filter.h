#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "hepar/io/shard.h"

namespace hepar::blosc {

/// Blosc's number in the HDF Group's registry of filters.
constexpr int kFilterId = 32001;

/// The seven client values that Blosc's HDF5 filter (revision 2) stores with a dataset, as h5py +
/// hdf5plugin read them.
struct Setting {
  Compressor compressor = Compressor::kLz4;
  std::size_t element_bytes = 1;
  std::size_t chunk_bytes = 0;
};
std::array<unsigned, 7> client_values(const Setting& setting);

/// Makes filter 32001 known to the HDF5 library of this process. Caller holds an hdf5::Session.
void register_filter(const std::string& where);

/// One chunk compressed, in the calling thread; the bytes depend on the input and the setting only.
std::vector<std::byte> compress(std::span<const std::byte> chunk, const Setting& setting);

/// Decodes into `out`; returns what is wrong, or an empty text. Safe on hostile input: all lengths
/// in Blosc's header are compared with the real ones first.
std::string decompress(std::span<const std::byte> stored, std::span<std::byte> out);

}  // namespace hepar::blosc
