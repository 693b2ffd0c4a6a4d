#pragma once

struct CUstream_st;  // a cudaStream_t points to one: no header of CUDA's here

namespace hepar::nn::cuda {

/// What a kernel reads and writes.
enum class Element { kFloat, kHalf, kBfloat16 };

}  // namespace hepar::nn::cuda
