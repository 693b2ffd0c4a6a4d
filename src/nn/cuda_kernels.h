#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#include "cuda_element.h"

namespace hepar::nn::cuda {

// What the kernels (*.cu) share.

constexpr unsigned kThreads = 256;

__host__ __device__ inline std::int64_t over(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

inline unsigned blocks_for(std::int64_t threads) {
  return static_cast<unsigned>(over(threads, kThreads));
}

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(__half x) { return __half2float(x); }
__device__ inline float to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline void from_float(float x, float& to) { to = x; }
__device__ inline void from_float(float x, __half& to) { to = __float2half(x); }
__device__ inline void from_float(float x, __nv_bfloat16& to) { to = __float2bfloat16(x); }

/// body(T{}) with the type of `element`.
template <class Body>
void for_element(Element element, const Body& body) {
  switch (element) {
    case Element::kFloat:
      return body(float{});
    case Element::kHalf:
      return body(__half{});
    case Element::kBfloat16:
      return body(__nv_bfloat16{});
  }
}

#ifdef __CUDACC__  // a test that runs kernels on a CPU brings a launch() of its own

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, CUstream_st* stream,
            const Arguments&... arguments) {
  kernel<<<grid, block, 0, stream>>>(arguments...);
}

#endif

}  // namespace hepar::nn::cuda
