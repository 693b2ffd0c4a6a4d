#pragma once
// Compiles and runs CUDA kernels on a CPU: included before a *.cu. The threads of a block are
// fibres that change at __syncthreads(); blocks run one after another, so that what they share can
// be static. It shows that a kernel computes the right numbers, not that it is free of races within
// a warp or fast.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <ucontext.h>
#include <vector_types.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#undef __launch_bounds__
#define __launch_bounds__(...)
#undef __shared__
#define __shared__ static

inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
using std::min;
inline double rsqrt(double x) { return 1 / std::sqrt(x); }

namespace cuda_on_cpu {

constexpr std::size_t kStackBytes = 64 << 10;

struct Fibre {
  ucontext_t context{};
  std::unique_ptr<char[]> stack = std::make_unique<char[]>(kStackBytes);
  uint3 thread{};
  bool done = false;
};

inline ucontext_t scheduler;
inline Fibre* running = nullptr;
inline std::function<void()> work;

inline void enter() {
  work();
  running->done = true;  // and goes on where uc_link says
}

inline void start(Fibre& fibre, uint3 thread) {
  fibre.thread = thread;
  fibre.done = false;
  ::getcontext(&fibre.context);
  fibre.context.uc_stack.ss_sp = fibre.stack.get();
  fibre.context.uc_stack.ss_size = kStackBytes;
  fibre.context.uc_link = &scheduler;
  ::makecontext(&fibre.context, enter, 0);
}

/// Every thread to its next barrier, until all are done.
inline void run_block() {
  static std::vector<Fibre> fibres;
  const std::size_t threads = std::size_t{blockDim.x} * blockDim.y * blockDim.z;
  if (fibres.size() < threads) {
    fibres = std::vector<Fibre>(threads);
  }
  for (unsigned i = 0; i < threads; ++i) {
    start(fibres[i], {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y});
  }
  for (bool left = true; left;) {
    left = false;
    for (std::size_t i = 0; i < threads; ++i) {
      if (!fibres[i].done) {
        running = &fibres[i];
        threadIdx = running->thread;
        ::swapcontext(&scheduler, &running->context);
        left = left || !fibres[i].done;
      }
    }
  }
}

}  // namespace cuda_on_cpu

inline void __syncthreads() {
  ::swapcontext(&cuda_on_cpu::running->context, &cuda_on_cpu::scheduler);
}

namespace hepar::nn::cuda {

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, struct CUstream_st* /*stream*/,
            const Arguments&... arguments) {
  cuda_on_cpu::work = [&] { kernel(arguments...); };
  gridDim = grid;
  blockDim = block;
  for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z) {
    for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y) {
      for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) {
        cuda_on_cpu::run_block();
      }
    }
  }
}

}  // namespace hepar::nn::cuda
