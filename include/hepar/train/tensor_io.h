#pragma once
#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace hepar {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// A module's parameters, then its buffers, by their names in it.
NamedTensors parameters_of(const torch::nn::Module& module);
NamedTensors buffers_of(const torch::nn::Module& module);
NamedTensors weights_of(const torch::nn::Module& module);  ///< both

/// Writes tensors (any device; copied to the CPU) as safetensors; returns the file's xxh64.
std::uint64_t write_tensors(const std::filesystem::path& path, const NamedTensors& tensors,
                            const std::map<std::string, std::string>& metadata = {});

/// CPU tensors that own their memory. Throws DataError.
NamedTensors read_tensors(const std::filesystem::path& path);

/// Copies values by name into `targets`. Throws DataError naming `where` when a name is missing or
/// left over or a shape differs.
void copy_tensors(const NamedTensors& values, const NamedTensors& targets,
                  const std::string& where);

/// xxh64 over names, shapes and bytes, in order.
std::string hash_tensors(const NamedTensors& tensors);

}  // namespace hepar
