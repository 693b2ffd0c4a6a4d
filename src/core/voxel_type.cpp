#include "hepar/core/voxel_type.h"

#include <array>

#include "hepar/core/error.h"

namespace hepar {
namespace {

struct NamedType {
  VoxelType type;
  const char* name;
};
constexpr std::array<NamedType, 10> kTypes{{{VoxelType::kUint8, "uint8"},
                                            {VoxelType::kInt8, "int8"},
                                            {VoxelType::kUint16, "uint16"},
                                            {VoxelType::kInt16, "int16"},
                                            {VoxelType::kUint32, "uint32"},
                                            {VoxelType::kInt32, "int32"},
                                            {VoxelType::kUint64, "uint64"},
                                            {VoxelType::kInt64, "int64"},
                                            {VoxelType::kFloat32, "float32"},
                                            {VoxelType::kFloat64, "float64"}}};

}  // namespace

std::size_t bytes_per_voxel(VoxelType type) {
  return with_voxel_type(type, [](auto zero) { return sizeof(zero); });
}

std::string to_string(VoxelType type) {
  for (const NamedType& known : kTypes) {
    if (known.type == type) {
      return known.name;
    }
  }
  return "unknown";
}

VoxelType voxel_type_from(const std::string& name, const std::string& where) {
  for (const NamedType& known : kTypes) {
    if (name == known.name) {
      return known.type;
    }
  }
  throw DataError(where + ": unknown voxel type '" + name + "'; known are uint8 … float64");
}

}  // namespace hepar
