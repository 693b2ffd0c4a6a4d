#include "hepar/io/shard.h"

#include <algorithm>
#include <cstring>
#include <system_error>

#include "blosc_filter.h"
#include "chunk_grid.h"
#include "fletcher32.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/parallel.h"
#include "shard_format.h"

namespace hepar {

namespace {

/// Chunks compressed before they are written in order: bounds memory, keeps the threads busy.
constexpr std::int64_t kChunksInFlight = 256;

hdf5::File create_file(const fs::path& path) {
  const std::string where = path.string();
  const hdf5::Session session;
  blosc::register_filter(where);
  const hdf5::Properties access = hdf5::shard_access(where);
  hdf5::Properties creation = hdf5::make_properties(H5P_FILE_CREATE, where);
  HEPAR_HDF5(where, H5Pset_obj_track_times, creation.get(), false);
  return hdf5::File(
      HEPAR_HDF5(where, H5Fcreate, path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()));
}

/// Creates the groups above `dataset` one by one: those that HDF5 makes itself record the time.
void create_groups(hid_t file, const std::string& dataset, const std::string& where) {
  hdf5::Properties creation = hdf5::make_properties(H5P_GROUP_CREATE, where);
  HEPAR_HDF5(where, H5Pset_obj_track_times, creation.get(), false);
  for (std::size_t slash = dataset.find('/', 1); slash != std::string::npos;
       slash = dataset.find('/', slash + 1)) {
    const std::string group = dataset.substr(0, slash);
    if (HEPAR_HDF5(where, H5Lexists, file, group.c_str(), H5P_DEFAULT) == 0) {
      hdf5::Group(HEPAR_HDF5(where, H5Gcreate2, file, group.c_str(), H5P_DEFAULT, creation.get(),
                             H5P_DEFAULT));
    }
  }
}

struct NewDataset {
  const std::string& name;
  const ChunkGrid& grid;
  VoxelType type;
  const blosc::Setting& setting;
};

hdf5::Dataset create_dataset(hid_t file, const NewDataset& wanted, const std::string& where) {
  std::array<hsize_t, 4> size{};
  std::array<hsize_t, 4> chunk{};
  const int rank = wanted.grid.rank;
  std::copy_n(wanted.grid.size.end() - rank, rank, size.begin());
  std::copy_n(wanted.grid.chunk.end() - rank, rank, chunk.begin());
  const std::array<unsigned, 7> values = blosc::client_values(wanted.setting);
  hdf5::Properties creation = hdf5::make_properties(H5P_DATASET_CREATE, where);
  HEPAR_HDF5(where, H5Pset_obj_track_times, creation.get(), false);
  HEPAR_HDF5(where, H5Pset_chunk, creation.get(), rank, chunk.data());
  HEPAR_HDF5(where, H5Pset_filter, creation.get(), blosc::kFilterId, H5Z_FLAG_OPTIONAL,
             values.size(), values.data());
  // Blosc 1 has no checksum of its own: a flipped bit could decode to other voxels unseen.
  HEPAR_HDF5(where, H5Pset_fletcher32, creation.get());
  const hdf5::Space space(HEPAR_HDF5(where, H5Screate_simple, rank, size.data(), nullptr));
  create_groups(file, wanted.name, where);
  return hdf5::Dataset(HEPAR_HDF5(where, H5Dcreate2, file, wanted.name.c_str(),
                                  hdf5::disk_type(wanted.type), space.get(), H5P_DEFAULT,
                                  creation.get(), H5P_DEFAULT));
}

/// One chunk as it stands in the file: compressed, then HDF5's Fletcher checksum, little-endian.
std::vector<std::byte> encode_chunk(std::span<const std::byte> data, const ChunkGrid& grid,
                                    std::int64_t index, const blosc::Setting& setting) {
  std::vector<std::byte> raw(grid.chunk_bytes());
  copy_block(data, {grid.size, grid.origin(index)}, raw, {grid.chunk, {0, 0, 0, 0}},
             grid.extent(index), grid.element_bytes);
  std::vector<std::byte> stored = blosc::compress(raw, setting);
  const std::uint32_t checksum = fletcher32(stored);
  for (int shift = 0; shift < 32; shift += 8) {
    stored.push_back(static_cast<std::byte>(checksum >> shift));
  }
  return stored;
}

void write_chunk(hid_t dataset, const Index4& origin, int rank, std::span<const std::byte> stored,
                 const std::string& where) {
  std::array<hsize_t, 4> offset{};
  std::copy_n(origin.end() - rank, rank, offset.begin());
  HEPAR_HDF5(where, H5Dwrite_chunk, dataset, H5P_DEFAULT, 0, offset.data(), stored.size(),
             stored.data());
}

/// A dataset that outlives the sessions it is written in: closed under one of its own.
struct OpenDataset {
  OpenDataset() = default;
  OpenDataset(const OpenDataset&) = delete;
  OpenDataset& operator=(const OpenDataset&) = delete;
  OpenDataset(OpenDataset&&) = delete;
  OpenDataset& operator=(OpenDataset&&) = delete;
  ~OpenDataset() {
    const hdf5::Session session;
    handle.close();
  }
  hdf5::Dataset handle;
};

}  // namespace

struct ShardWriter::Impl {
  fs::path path;
  fs::path temporary;
  Compressor compressor;
  int threads;
  hdf5::File file;

  void discard() noexcept {
    {
      const hdf5::Session session;
      file.close();
    }
    std::error_code ignored;
    fs::remove(temporary, ignored);
  }
};

ShardWriter::ShardWriter(std::filesystem::path path, Compressor compressor, int threads)
    : impl_(std::make_unique<Impl>()) {
  impl_->path = std::move(path);
  impl_->temporary = impl_->path;
  impl_->temporary += ".partial";
  impl_->compressor = compressor;
  impl_->threads = threads;
  impl_->file = create_file(impl_->temporary);
}

ShardWriter::~ShardWriter() {
  if (impl_->file.get() >= 0) {
    impl_->discard();
  }
}

std::string ShardWriter::write(const std::string& dataset, const ArrayShape& shape,
                               std::span<const std::byte> data) {
  const std::string where = impl_->path.string() + ":" + dataset;
  require(impl_->file.get() >= 0, where + ": the shard is already closed");
  const ChunkGrid grid = make_chunk_grid(shape, where);
  require<ShapeError>(data.size() == grid.array_bytes(),
                      where + ": wanted " + std::to_string(grid.array_bytes()) + " bytes, found " +
                          std::to_string(data.size()));
  const blosc::Setting setting{impl_->compressor, grid.element_bytes, grid.chunk_bytes()};
  OpenDataset target;
  {
    const hdf5::Session session;
    target.handle = create_dataset(impl_->file.get(), {dataset, grid, shape.type, setting}, where);
  }
  std::vector<std::vector<std::byte>> stored;
  for (std::int64_t first = 0; first < grid.chunks(); first += kChunksInFlight) {
    const std::int64_t n = std::min(kChunksInFlight, grid.chunks() - first);
    stored.assign(static_cast<std::size_t>(n), {});
    parallel_for(n, impl_->threads, [&](std::int64_t i) {
      stored[static_cast<std::size_t>(i)] = encode_chunk(data, grid, first + i, setting);
    });
    const hdf5::Session session;
    for (std::int64_t i = 0; i < n; ++i) {
      write_chunk(target.handle.get(), grid.origin(first + i), grid.rank,
                  stored[static_cast<std::size_t>(i)], where);
    }
  }
  return to_hex(xxh64(data));
}

void ShardWriter::close() {
  require(impl_->file.get() >= 0, impl_->path.string() + ": the shard is already closed");
  try {
    const std::string where = impl_->path.string();
    {
      const hdf5::Session session;
      HEPAR_HDF5(where, H5Fflush, impl_->file.get(), H5F_SCOPE_LOCAL);
      require<DataError>(impl_->file.close(),
                         where + ": H5Fclose failed: " + hdf5::take_error_text());
    }
    sync_path(impl_->temporary);
    std::error_code error;
    fs::rename(impl_->temporary, impl_->path, error);
    require<DataError>(!error,
                       where + ": cannot be renamed from its temporary name: " + error.message());
    sync_path(impl_->path.has_parent_path() ? impl_->path.parent_path() : fs::path("."));
  } catch (...) {
    impl_->discard();
    throw;
  }
}

}  // namespace hepar
