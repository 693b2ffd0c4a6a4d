#include "shard_index.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "blosc_filter.h"
#include "hepar/core/error.h"
#include "shard_format.h"

namespace hepar {

namespace {

/// Which bit of a chunk's filter mask belongs to which filter.
struct Pipeline {
  std::optional<unsigned> blosc;
  std::optional<unsigned> fletcher;
};

/// Superblocks 0 and 1 are the old format, whose metadata have no checksums and whose damage
/// HDF5 1.10 does not always survive.
void check_signature(const std::filesystem::path& path, const ShardFile& file) {
  constexpr std::array<unsigned char, 8> kSignature{0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  std::array<unsigned char, 9> head{};
  const ssize_t n = ::pread(file.get(), head.data(), head.size(), 0);
  require<DataError>(n == static_cast<ssize_t>(head.size()) &&
                         std::equal(kSignature.begin(), kSignature.end(), head.begin()),
                     path.string() + ": not an HDF5 file (" + std::to_string(file.size()) +
                         " bytes, wanted HDF5's signature at its start)");
  require<DataError>(head[8] >= 2, path.string() + ": HDF5 superblock version " +
                                       std::to_string(head[8]) +
                                       ", wanted 2 or later; write it with libver='v110'");
}

herr_t collect_dataset(hid_t /*root*/, const char* name, const H5O_info_t* info, void* out) {
  if (info->type == H5O_TYPE_DATASET) {
    static_cast<std::vector<std::string>*>(out)->push_back(std::string("/").append(name));
  }
  return 0;
}

VoxelType read_type(hid_t dataset, const std::string& where) {
  const hdf5::Type type(HEPAR_HDF5(where, H5Dget_type, dataset));
  for (const VoxelType known :
       {VoxelType::kUint8, VoxelType::kInt8, VoxelType::kUint16, VoxelType::kInt16,
        VoxelType::kUint32, VoxelType::kInt32, VoxelType::kUint64, VoxelType::kInt64,
        VoxelType::kFloat32, VoxelType::kFloat64}) {
    if (HEPAR_HDF5(where, H5Tequal, type.get(), hdf5::disk_type(known)) > 0) {
      return known;
    }
  }
  throw DataError(where + ": wanted a little-endian integer or IEEE type of 1 to 8 bytes");
}

ArrayShape read_shape(hid_t dataset, hid_t creation, const std::string& where) {
  require<DataError>(HEPAR_HDF5(where, H5Pget_layout, creation) == H5D_CHUNKED,
                     where + ": wanted a chunked array; shards hold no other layout");
  const hdf5::Space space(HEPAR_HDF5(where, H5Dget_space, dataset));
  const int rank = HEPAR_HDF5(where, H5Sget_simple_extent_ndims, space.get());
  require<DataError>(rank >= 1 && rank <= 4,
                     where + ": wanted 1 to 4 axes, found " + std::to_string(rank));
  std::array<hsize_t, 4> size{};
  std::array<hsize_t, 4> chunk{};
  HEPAR_HDF5(where, H5Sget_simple_extent_dims, space.get(), size.data(), nullptr);
  const int chunk_rank = HEPAR_HDF5(where, H5Pget_chunk, creation, 4, chunk.data());
  require<DataError>(chunk_rank == rank, where + ": chunks of " + std::to_string(chunk_rank) +
                                             " axes in an array of " + std::to_string(rank));
  ArrayShape shape;
  for (int axis = 0; axis < rank; ++axis) {
    constexpr hsize_t kLimit = hsize_t{1} << 46;
    require<DataError>(size[axis] <= kLimit && chunk[axis] <= kLimit,
                       where + ": axis " + std::to_string(axis) + " is too long to be true");
    shape.size.push_back(static_cast<std::int64_t>(size[axis]));
    shape.chunk.push_back(static_cast<std::int64_t>(chunk[axis]));
  }
  shape.type = read_type(dataset, where);
  return shape;
}

Pipeline read_pipeline(hid_t creation, const std::string& where) {
  Pipeline pipeline;
  const int n = HEPAR_HDF5(where, H5Pget_nfilters, creation);
  for (int i = 0; i < n; ++i) {
    const auto position = static_cast<unsigned>(i);
    unsigned flags = 0;
    std::size_t n_values = 0;
    unsigned config = 0;
    const H5Z_filter_t id = HEPAR_HDF5(where, H5Pget_filter2, creation, position, &flags, &n_values,
                                       nullptr, 0, nullptr, &config);
    if (id == blosc::kFilterId && !pipeline.blosc && !pipeline.fletcher) {
      pipeline.blosc = position;
    } else if (id == H5Z_FILTER_FLETCHER32 && !pipeline.fletcher) {
      pipeline.fletcher = position;
    } else {
      throw DataError(where + ": HDF5 filter " + std::to_string(id) +
                      "; shards use Blosc (32001), then Fletcher32 (3), and no other");
    }
  }
  return pipeline;
}

ChunkPlace read_place(hid_t dataset, const Index4& origin, int rank, const Pipeline& pipeline,
                      const std::string& where) {
  std::array<hsize_t, 4> offset{};
  std::copy_n(origin.end() - rank, rank, offset.begin());
  unsigned mask = 0;
  haddr_t address = HADDR_UNDEF;
  hsize_t bytes = 0;
  HEPAR_HDF5(where, H5Dget_chunk_info_by_coord, dataset, offset.data(), &mask, &address, &bytes);
  const auto applied = [&](const std::optional<unsigned>& position) {
    return position.has_value() && (mask & (1U << *position)) == 0;
  };
  if (address == HADDR_UNDEF) {
    return {0, 0, false, false};
  }
  return {address, bytes, applied(pipeline.blosc), applied(pipeline.fletcher)};
}

IndexedArray index_array(hid_t shard, const std::string& name, std::uint64_t file_bytes,
                         const std::string& where) {
  const hdf5::Dataset dataset(HEPAR_HDF5(where, H5Dopen2, shard, name.c_str(), H5P_DEFAULT));
  const hdf5::Properties creation(HEPAR_HDF5(where, H5Dget_create_plist, dataset.get()));
  IndexedArray array;
  array.shape = read_shape(dataset.get(), creation.get(), where);
  try {
    array.grid = make_chunk_grid(array.shape, where);
  } catch (const ShapeError& e) {
    throw DataError(e.what());  // here the shape comes from a file, not from the caller
  }
  const Pipeline pipeline = read_pipeline(creation.get(), where);
  const std::int64_t n = array.grid.chunks();
  // Each stored chunk takes a byte at least, so a file cannot hold more of them than bytes.
  require<DataError>(n >= 0 && static_cast<std::uint64_t>(n) <= file_bytes,
                     where + ": " + std::to_string(n) + " chunks in a file of " +
                         std::to_string(file_bytes) + " bytes");
  array.chunks.reserve(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    const ChunkPlace place =
        read_place(dataset.get(), array.grid.origin(i), array.grid.rank, pipeline, where);
    // A chunk never written would silently read as zeros.
    if (place.bytes == 0 || place.bytes > file_bytes || place.address > file_bytes - place.bytes) {
      throw DataError(where + ": chunk " + std::to_string(i) + " of " + std::to_string(n) +
                      (place.bytes == 0 ? " is missing" : " lies outside the file") +
                      "; the shard is incomplete");
    }
    array.chunks.push_back(place);
  }
  return array;
}

}  // namespace

ShardFile::ShardFile(const std::filesystem::path& path) : descriptor_(path, O_RDONLY) {
  require<DataError>(descriptor_.is_open(),
                     path.string() + ": cannot be opened: " + std::strerror(errno));
  struct stat status {};
  require<DataError>(::fstat(descriptor_.get(), &status) == 0 && S_ISREG(status.st_mode),
                     path.string() + ": not a regular file");
  size_ = static_cast<std::uint64_t>(status.st_size);
}

std::map<std::string, IndexedArray> index_shard(const std::filesystem::path& path,
                                                const ShardFile& file) {
  check_signature(path, file);
  const std::string where = path.string();
  const hdf5::Session session;
  const hdf5::Properties access = hdf5::shard_access(where);
  const hdf5::File shard(HEPAR_HDF5(where, H5Fopen, path.c_str(), H5F_ACC_RDONLY, access.get()));
  std::vector<std::string> names;
  HEPAR_HDF5(where, H5Ovisit2, shard.get(), H5_INDEX_NAME, H5_ITER_INC, collect_dataset, &names,
             H5O_INFO_BASIC);
  std::map<std::string, IndexedArray> arrays;
  for (const std::string& name : names) {
    arrays.emplace(name, index_array(shard.get(), name, file.size(), where + ":" + name));
  }
  return arrays;
}

}  // namespace hepar
