#pragma once
// What a shard is in HDF5's terms, shared by its writer and its reader.
#include "hdf5_handle.h"
#include "hepar/core/voxel_type.h"

namespace hepar::hdf5 {

/// The type on disk, always little-endian. A library constant: not to be closed.
hid_t disk_type(VoxelType type);

/// File access for shards: locking off (Lustre and NFS often have none; a shard is written under a
/// name of its own and never changed), and one file format whatever the library's version:
/// HDF5 1.10's, whose metadata carry checksums.
Properties shard_access(const std::string& where);

}  // namespace hepar::hdf5
