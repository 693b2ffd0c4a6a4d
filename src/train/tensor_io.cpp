#include "hepar/train/tensor_io.h"

#include <ATen/ops/from_blob.h>

#include <array>
#include <cstring>

#include "hepar/core/error.h"
#include "hepar/core/hash.h"
#include "hepar/io/safetensors.h"

namespace hepar {
namespace {

struct NamedDtype {
  at::ScalarType type;
  const char* name;
};
constexpr std::array<NamedDtype, 8> kDtypes{{{at::kFloat, "F32"},
                                             {at::kDouble, "F64"},
                                             {at::kHalf, "F16"},
                                             {at::kBFloat16, "BF16"},
                                             {at::kLong, "I64"},
                                             {at::kInt, "I32"},
                                             {at::kByte, "U8"},
                                             {at::kBool, "BOOL"}}};

const char* dtype_name(const at::Tensor& tensor, const std::string& name) {
  for (const NamedDtype& known : kDtypes) {
    if (known.type == tensor.scalar_type()) {
      return known.name;
    }
  }
  throw ShapeError("tensor '" + name + "': its type cannot be stored");
}

at::ScalarType dtype_from(const std::string& dtype, const std::string& where) {
  for (const NamedDtype& known : kDtypes) {
    if (dtype == known.name) {
      return known.type;
    }
  }
  throw DataError(where + ": tensors of type " + dtype + " are not supported");
}

at::Tensor stored_form(const at::Tensor& tensor) { return tensor.detach().cpu().contiguous(); }

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

NamedTensors listed(const torch::OrderedDict<std::string, at::Tensor>& tensors) {
  NamedTensors named;
  for (const auto& item : tensors) {
    named.emplace_back(item.key(), item.value());
  }
  return named;
}

}  // namespace

NamedTensors parameters_of(const torch::nn::Module& module) {
  return listed(module.named_parameters());
}

NamedTensors buffers_of(const torch::nn::Module& module) { return listed(module.named_buffers()); }

NamedTensors weights_of(const torch::nn::Module& module) {
  NamedTensors named = parameters_of(module);
  const NamedTensors buffers = buffers_of(module);
  named.insert(named.end(), buffers.begin(), buffers.end());
  return named;
}

std::uint64_t write_tensors(const std::filesystem::path& path, const NamedTensors& tensors,
                            const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> kept;
  std::vector<RawTensor> raw;
  for (const auto& [name, tensor] : tensors) {
    kept.push_back(stored_form(tensor));
    raw.push_back({.name = name,
                   .dtype = dtype_name(tensor, name),
                   .shape = tensor.sizes().vec(),
                   .data = bytes_of(kept.back())});
  }
  return write_safetensors(path, raw, metadata);
}

NamedTensors read_tensors(const std::filesystem::path& path) {
  const SafetensorsFile file = read_safetensors(path);
  NamedTensors tensors;
  for (const RawTensor& raw : file.tensors) {
    const std::string where = path.string() + ": tensor '" + raw.name + "'";
    at::Tensor tensor = at::empty(raw.shape, dtype_from(raw.dtype, where));
    require<DataError>(tensor.nbytes() == raw.data.size(), where + ": size and shape disagree");
    if (!raw.data.empty()) {
      std::memcpy(tensor.mutable_data_ptr(), raw.data.data(), raw.data.size());
    }
    tensors.emplace_back(raw.name, tensor);
  }
  return tensors;
}

void copy_tensors(const NamedTensors& values, const NamedTensors& targets,
                  const std::string& where) {
  std::map<std::string, at::Tensor> by_name(values.begin(), values.end());
  const at::NoGradGuard no_grad;
  for (const auto& [name, target] : targets) {
    const auto found = by_name.find(name);
    require<DataError>(found != by_name.end(), where + ": tensor '" + name + "' is missing");
    require<DataError>(found->second.sizes() == target.sizes(),
                       where + ": tensor '" + name + "' has another shape than the network's");
    target.copy_(found->second);
    by_name.erase(found);
  }
  require<DataError>(by_name.empty(), where + ": tensor '" +
                                          (by_name.empty() ? "" : by_name.begin()->first) +
                                          "' does not belong to this network");
}

std::string hash_tensors(const NamedTensors& tensors) {
  Xxh64 hash;
  for (const auto& [name, tensor] : tensors) {
    std::string text = name;
    for (const std::int64_t size : tensor.sizes()) {
      text.append(",").append(std::to_string(size));
    }
    hash.update(std::as_bytes(std::span(text)));
    const at::Tensor stored = stored_form(tensor);
    hash.update(bytes_of(stored));
  }
  return to_hex(hash.digest());
}

}  // namespace hepar
