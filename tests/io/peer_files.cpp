// The compiled half of tests/oracle/shards.py: writes files for Python peers, and checks theirs.
#include <cstring>
#include <iostream>

#include "hepar/core/error.h"
#include "hepar/io/safetensors.h"
#include "hepar/io/shard.h"

namespace hepar {
namespace {

namespace fs = std::filesystem;

const std::vector<ArrayShape> kShapes{{{1000}, {300}, {}},
                                      {{40, 30}, {16, 30}, {}},
                                      {{37, 50, 41}, {16, 32, 32}, {}},
                                      {{2, 9, 20, 30}, {1, 4, 20, 16}, {}}};
const std::vector<VoxelType> kTypes{VoxelType::kUint8,  VoxelType::kInt8,   VoxelType::kUint16,
                                    VoxelType::kInt16,  VoxelType::kUint32, VoxelType::kInt32,
                                    VoxelType::kUint64, VoxelType::kInt64,  VoxelType::kFloat32,
                                    VoxelType::kFloat64};

/// The values both sides know, see tests/oracle/shards.py.
std::vector<std::byte> formula(const std::vector<std::int64_t>& shape, VoxelType type) {
  std::int64_t n = 1;
  for (const std::int64_t size : shape) {
    n *= size;
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(n) * bytes_per_voxel(type));
  with_voxel_type(type, [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t value = (i * 7919 + i / 64) % 251;
      const T typed = static_cast<T>(type == VoxelType::kInt8 ? value - 125 : value);
      std::memcpy(bytes.data() + static_cast<std::size_t>(i) * sizeof(T), &typed, sizeof(T));
    }
  });
  return bytes;
}

std::string name_of(VoxelType type, std::size_t rank) {
  return std::string("/").append(to_string(type)).append("/").append(std::to_string(rank));
}

void write_shard(const fs::path& path, Compressor compressor) {
  ShardWriter writer(path, compressor, 2);
  for (const VoxelType type : kTypes) {
    for (ArrayShape shape : kShapes) {
      shape.type = type;
      writer.write(name_of(type, shape.size.size()), shape, formula(shape.size, type));
    }
  }
  writer.close();
}

void write_weights(const fs::path& path) {
  const auto weight = formula({3, 4, 5}, VoxelType::kFloat32);
  const auto bias = formula({7}, VoxelType::kFloat64);
  const std::vector<std::int64_t> step{42};
  write_safetensors(path,
                    {{"b.weight", "F32", {3, 4, 5}, weight},
                     {"a.bias", "F64", {7}, bias},
                     {"step", "I64", {}, std::as_bytes(std::span(step))},
                     {"empty", "F16", {0, 5}, {}}},
                    {{"code", "abc"}});
}

void check(const fs::path& folder) {
  const ShardReader reader(folder / "peer.h5");
  for (const VoxelType type : kTypes) {
    for (const ArrayShape& shape : kShapes) {
      const std::string name = name_of(type, shape.size.size());
      require(reader.shape(name).size == shape.size && reader.shape(name).chunk == shape.chunk,
              name + ": another shape");
      require(reader.read(name) == formula(shape.size, type), name + ": other voxels");
    }
  }
  const SafetensorsFile weights = read_safetensors(folder / "peer.safetensors");
  require(weights.tensors.size() == 3 && weights.metadata.at("code") == "abc", "other tensors");
  for (const RawTensor& tensor : weights.tensors) {
    const std::vector<std::byte> data(tensor.data.begin(), tensor.data.end());
    require(tensor.name != "b.weight" || data == formula({3, 4, 5}, VoxelType::kFloat32),
            tensor.name);
    require(tensor.name != "a.bias" || data == formula({7}, VoxelType::kFloat64), tensor.name);
    require(tensor.name != "step" || (tensor.shape.empty() && data[0] == std::byte{42}),
            tensor.name);
  }
}

}  // namespace
}  // namespace hepar

int main(int argc, char** argv) {
  try {
    const std::filesystem::path folder = argc == 3 ? argv[2] : "";
    if (argc == 3 && std::strcmp(argv[1], "write") == 0) {
      hepar::write_shard(folder / "lz4.h5", hepar::Compressor::kLz4);
      hepar::write_shard(folder / "zstd.h5", hepar::Compressor::kZstd);
      hepar::write_weights(folder / "weights.safetensors");
      return 0;
    }
    if (argc == 3 && std::strcmp(argv[1], "check") == 0) {
      hepar::check(folder);
      return 0;
    }
    std::cerr << "usage: peer_files write|check FOLDER\n";
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
  }
  return 1;
}
