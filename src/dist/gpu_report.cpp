#include "hepar/dist/gpu_report.h"

#ifdef HEPAR_HAVE_CUDA

#include <cuda_runtime_api.h>
#include <nccl.h>

namespace hepar {
namespace {

/// 13000 is 13.0 (CUDA: 1000 a major version, 10 a minor one).
std::string cuda_text(int version) {
  return version == 0 ? "none"
                      : std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// 22809 is 2.28.9 (NCCL 2.9 and later).
std::string nccl_text(int version) {
  return std::to_string(version / 10000) + "." + std::to_string(version % 10000 / 100) + "." +
         std::to_string(version % 100);
}

std::vector<std::string> device_names() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    return {};
  }
  std::vector<std::string> names;
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties{};
    const bool known = cudaGetDeviceProperties(&properties, device) == cudaSuccess;
    names.emplace_back(known ? properties.name : "unknown");
  }
  return names;
}

}  // namespace

GpuReport gpu_report() {
  int runtime = 0;
  int driver = 0;
  int nccl = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaDriverGetVersion(&driver);
  ncclGetVersion(&nccl);
  return {.versions = {{"CUDA", cuda_text(CUDART_VERSION)},
                       {"CUDA loaded", cuda_text(runtime)},
                       {"CUDA driver", cuda_text(driver)},
                       {"NCCL", nccl_text(NCCL_VERSION_CODE)},
                       {"NCCL loaded", nccl_text(nccl)}},
          .devices = device_names()};
}

}  // namespace hepar

#else

namespace hepar {

GpuReport gpu_report() { return {.versions = {{"CUDA", ""}, {"NCCL", ""}}, .devices = {}}; }

}  // namespace hepar

#endif
