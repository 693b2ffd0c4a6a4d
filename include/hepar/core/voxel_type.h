#pragma once
#include <cstddef>
#include <string>

namespace hepar {

/// How a voxel is stored. Names are those of every file: "uint8", "int16", "float32", …
enum class VoxelType {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kUint64,
  kInt64,
  kFloat32,
  kFloat64
};

std::size_t bytes_per_voxel(VoxelType type);
std::string to_string(VoxelType type);
/// Throws DataError "WHERE: unknown voxel type '…'".
VoxelType voxel_type_from(const std::string& name, const std::string& where);

/// Calls f(T{}) with the C++ type of `type`.
template <class F>
decltype(auto) with_voxel_type(VoxelType type, F&& f) {
  switch (type) {
    case VoxelType::kUint8:
      return f((unsigned char)0);
    case VoxelType::kInt8:
      return f((signed char)0);
    case VoxelType::kUint16:
      return f((unsigned short)0);
    case VoxelType::kInt16:
      return f((short)0);
    case VoxelType::kUint32:
      return f(0u);
    case VoxelType::kInt32:
      return f(0);
    case VoxelType::kUint64:
      return f(0ul);
    case VoxelType::kInt64:
      return f(0l);
    case VoxelType::kFloat32:
      return f(0.0f);
    default:
      return f(0.0);
  }
}

}  // namespace hepar
