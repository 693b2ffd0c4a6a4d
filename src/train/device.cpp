#include "hepar/train/device.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <algorithm>
#include <cstdlib>

#include "hepar/core/error.h"
#include "hepar/core/parallel.h"

namespace hepar {
namespace {

at::Device choose_device(const std::string& name, const Communicator& communicator) {
  const bool cuda = at::globalContext().hasCUDA();
  require<ConfigError>(name != "cuda" || cuda,
                       "device: cuda was asked for, but this program sees no GPU; "
                       "use device=cpu or a build with HEPAR_CUDA=ON on a GPU node");
  if (name == "cpu" || !cuda) {
    return at::kCPU;
  }
  // More ranks than GPUs share them; NCCL then refuses, and says so.
  const int devices = std::max<int>(1, at::detail::getCUDAHooks().deviceCount());
  return {at::kCUDA, static_cast<at::DeviceIndex>(communicator.local_rank() % devices)};
}

at::ScalarType choose_type(const std::string& precision, at::Device device) {
  if (precision == "auto") {
    return device.is_cuda() && at::detail::getCUDAHooks().supportsBFloat16ConvolutionWithCuDNNv8()
               ? at::kBFloat16
               : at::kFloat;
  }
  return precision == "bf16" ? at::kBFloat16 : (precision == "fp16" ? at::kHalf : at::kFloat);
}

/// Sets an environment variable that is not set to something else.
void want_variable(const char* name, const std::string& value) {
  const char* found = std::getenv(name);
  require<ConfigError>(found == nullptr || value == found,
                       std::string("run.deterministic: wanted ") + name + "=" + value +
                           " or unset, found '" + (found == nullptr ? "" : found) + "'; unset it");
  ::setenv(name, value.c_str(), /*overwrite=*/1);
}

}  // namespace

void set_determinism(bool deterministic, at::Device device) {
  if (!device.is_cuda()) {
    return;
  }
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(deterministic, /*warn_only=*/false);
  context.setDeterministicFillUninitializedMemory(false);
  context.setDeterministicCuDNN(deterministic);
  context.setBenchmarkCuDNN(!deterministic);
  if (deterministic) {
    want_variable("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
    want_variable("NCCL_ALGO", "Ring");
  }
}

void check_pooling(bool deterministic, at::Device device, const std::string& pooling) {
  require<ConfigError>(!deterministic || !device.is_cuda() || pooling.empty(),
                       "run.deterministic: this network has " + pooling +
                           " pooling, whose gradient LibTorch adds up in any order on a GPU; set "
                           "run.deterministic to false, or take a network without (architecture "
                           "plain, backbone.name imr_r34gn)");
}

void ComputeConfig::declare(ConfigSchema& schema) {
  schema.add_choice("device", device, {"auto", "cpu", "cuda"}, "Where networks run", Effect::kNone);
  schema.add_choice("precision", precision, {"auto", "float32", "bf16", "fp16"},
                    "What convolutions compute in; auto: bf16 on a GPU that has it, else float32");
}

Compute choose_compute(const ComputeConfig& config, const Communicator& communicator) {
  const at::Device device = choose_device(config.device, communicator);
  return {device, choose_type(config.precision, device)};
}

std::string precision_name(at::ScalarType type) {
  return type == at::kBFloat16 ? "bf16" : (type == at::kHalf ? "fp16" : "float32");
}

int choose_threads(std::int64_t asked, const Communicator& communicator) {
  return asked > 0 ? static_cast<int>(asked)
                   : std::max(1, usable_processors() / communicator.local_sharers());
}

}  // namespace hepar
