#include "shard_format.h"

namespace hepar::hdf5 {

hid_t disk_type(VoxelType type) {
  switch (type) {
    case VoxelType::kUint8:
      return H5T_STD_U8LE;
    case VoxelType::kInt8:
      return H5T_STD_I8LE;
    case VoxelType::kUint16:
      return H5T_STD_U16LE;
    case VoxelType::kInt16:
      return H5T_STD_I16LE;
    case VoxelType::kUint32:
      return H5T_STD_U32LE;
    case VoxelType::kInt32:
      return H5T_STD_I32LE;
    case VoxelType::kUint64:
      return H5T_STD_U64LE;
    case VoxelType::kInt64:
      return H5T_STD_I64LE;
    case VoxelType::kFloat32:
      return H5T_IEEE_F32LE;
    default:
      return H5T_IEEE_F64LE;
  }
}

Properties shard_access(const std::string& where) {
  Properties access = make_properties(H5P_FILE_ACCESS, where);
  HEPAR_HDF5(where, H5Pset_libver_bounds, access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110);
  HEPAR_HDF5(where, H5Pset_file_locking, access.get(), false, true);
  HEPAR_HDF5(where, H5Pset_fclose_degree, access.get(), H5F_CLOSE_STRONG);
  return access;
}

}  // namespace hepar::hdf5
