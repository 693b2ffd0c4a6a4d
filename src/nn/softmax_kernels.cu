#include <cmath>
#include <type_traits>

#include "cuda_kernels.h"
#include "softmax_kernels_cuda.h"

namespace hepar::nn::cuda {
namespace {

constexpr int kSums = 4;
// Of a block. Each thread adds the terms of 32 voxels in float, which keeps their digits; what
// threads and blocks have found is added in double.
constexpr std::int64_t kPieceVoxels = std::int64_t{32} * kThreads;

/// A voxel's softmax. C: the number of classes or more; those beyond have probability 0.
template <class T, int C>
struct Voxel {
  float p[C];
  float nll = 0;   ///< -log p of its class
  int label = -1;  ///< -1: no class

  __device__ Voxel(const SoftmaxInput& in, std::int64_t sample, std::int64_t voxel) {
    const std::int64_t given = in.labels[sample * in.voxels + voxel];
    label = given >= 0 && given < in.classes ? static_cast<int>(given) : -1;
    const T* logits = static_cast<const T*>(in.logits) + sample * in.voxels * in.classes +
                      voxel * in.voxel_stride;
    for (int c = 0; c < C; ++c) {
      p[c] = c < in.classes ? to_float(logits[c * in.class_stride]) : -INFINITY;
    }
    float highest = p[0];
    for (int c = 1; c < C; ++c) {
      highest = p[c] > highest ? p[c] : highest;
    }
    float sum = 0, of_label = 0;
    for (int c = 0; c < C; ++c) {
      of_label = c == label ? p[c] - highest : of_label;
      p[c] = expf(p[c] - highest);
      sum += p[c];
    }
    for (int c = 0; c < C; ++c) {
      p[c] /= sum;
    }
    nll = logf(sum) - of_label;
  }
};

/// Adds each class's values over the threads of a block, in an order that never changes.
template <int C>
__device__ void add_threads(const float (&values)[C], std::int64_t classes, double* totals) {
  constexpr unsigned kParts = kThreads / C;
  __shared__ float all[C][kThreads];
  __shared__ double parts[C][kParts];
  __syncthreads();  // the call before may still be read
  for (int c = 0; c < C; ++c) {
    all[c][threadIdx.x] = values[c];
  }
  __syncthreads();
  const unsigned c = threadIdx.x / kParts, part = threadIdx.x % kParts;
  double sum = 0;
  for (unsigned i = part; i < kThreads; i += kParts) {
    sum += static_cast<double>(all[c][i]);
  }
  parts[c][part] = sum;
  __syncthreads();
  if (threadIdx.x < classes) {
    double total = 0;
    for (unsigned i = 0; i < kParts; ++i) {
      total += parts[threadIdx.x][i];
    }
    totals[threadIdx.x] = total;
  }
}

/// x of the grid: pieces; y: samples. sums: [samples, pieces, kSums, classes].
template <class T, int C>
__global__ void __launch_bounds__(kThreads) sum_terms(SoftmaxInput in, double* sums) {
  float nll[C] = {}, voxels[C] = {}, overlap[C] = {}, prediction[C] = {};
  const std::int64_t first = blockIdx.x * kPieceVoxels;
  const std::int64_t last = in.voxels < first + kPieceVoxels ? in.voxels : first + kPieceVoxels;
  for (std::int64_t v = first + threadIdx.x; v < last; v += kThreads) {
    const Voxel<T, C> voxel(in, blockIdx.y, v);
    for (int c = 0; c < C; ++c) {
      nll[c] += c == voxel.label ? voxel.nll : 0.0F;
      voxels[c] += c == voxel.label ? 1.0F : 0.0F;
      overlap[c] += c == voxel.label ? voxel.p[c] : 0.0F;
      prediction[c] += voxel.label >= 0 ? voxel.p[c] : 0.0F;
    }
  }
  const std::int64_t piece = static_cast<std::int64_t>(blockIdx.y) * gridDim.x + blockIdx.x;
  double* to = sums + piece * kSums * in.classes;
  add_threads(nll, in.classes, to);
  add_threads(voxels, in.classes, to + in.classes);
  add_threads(overlap, in.classes, to + 2 * in.classes);
  add_threads(prediction, in.classes, to + 3 * in.classes);
}

/// x of the grid: the values of a sample; y: samples.
__global__ void __launch_bounds__(kThreads)
    add_pieces(std::int64_t pieces, const double* sums, double* totals) {
  __shared__ double parts[kThreads];
  double sum = 0;
  for (std::int64_t p = threadIdx.x; p < pieces; p += kThreads) {
    sum += sums[(blockIdx.y * pieces + p) * gridDim.x + blockIdx.x];
  }
  parts[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (unsigned i = 1; i < kThreads; ++i) {
      sum += parts[i];
    }
    totals[blockIdx.y * gridDim.x + blockIdx.x] = sum;
  }
}

/// As softmax_kernels.cpp has it.
template <class T, int C>
__global__ void __launch_bounds__(kThreads)
    find_gradient(SoftmaxInput in, const float* by, T* gradient) {
  const std::int64_t v = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (v >= in.voxels) {
    return;
  }
  const Voxel<T, C> voxel(in, blockIdx.y, v);
  const bool counts = voxel.label >= 0;
  const float* by_nll = by + blockIdx.y * kSums * in.classes;
  const float* by_overlap = by_nll + 2 * in.classes;
  const float* by_prediction = by_nll + 3 * in.classes;
  const float nll = counts ? by_nll[voxel.label] : 0.0F;
  const float overlap = counts ? by_overlap[voxel.label] : 0.0F;
  float by_p[C], mean = 0;
  for (int c = 0; c < C; ++c) {
    by_p[c] = c < in.classes ? by_prediction[c] + (c == voxel.label ? overlap : 0.0F) : 0.0F;
    mean += voxel.p[c] * by_p[c];
  }
  T* out = gradient + blockIdx.y * in.voxels * in.classes + v * in.voxel_stride;
  for (int c = 0; c < C; ++c) {
    if (c < in.classes) {
      const float is_label = c == voxel.label ? 1.0F : 0.0F;
      const float all = nll * (voxel.p[c] - is_label) + voxel.p[c] * (by_p[c] - mean);
      from_float(counts ? all : 0.0F, out[c * in.class_stride]);
    }
  }
}

/// body(T{}, the smallest of the compiled numbers of classes that is enough).
template <class Body>
void for_kind(const SoftmaxInput& in, const Body& body) {
  for_element(in.element, [&](auto element) {
    if (in.classes <= 2) {
      body(element, std::integral_constant<int, 2>());
    } else if (in.classes <= 4) {
      body(element, std::integral_constant<int, 4>());
    } else if (in.classes <= 8) {
      body(element, std::integral_constant<int, 8>());
    } else if (in.classes <= 16) {
      body(element, std::integral_constant<int, 16>());
    } else {
      body(element, std::integral_constant<int, kMostClasses>());
    }
  });
}

}  // namespace

std::int64_t softmax_scratch_values(const SoftmaxInput& in) {
  return in.samples * over(in.voxels, kPieceVoxels) * kSums * in.classes;
}

void softmax_terms(const SoftmaxInput& in, double* scratch, double* totals, CUstream_st* stream) {
  const std::int64_t pieces = over(in.voxels, kPieceVoxels);
  const auto samples = static_cast<unsigned>(in.samples);
  for_kind(in, [&](auto element, auto classes) {
    launch(sum_terms<decltype(element), decltype(classes)::value>,
           dim3(static_cast<unsigned>(pieces), samples), dim3(kThreads), stream, in, scratch);
  });
  launch(add_pieces, dim3(static_cast<unsigned>(kSums * in.classes), samples), dim3(kThreads),
         stream, pieces, scratch, totals);
}

void softmax_terms_gradient(const SoftmaxInput& in, const float* by, void* gradient,
                            CUstream_st* stream) {
  for_kind(in, [&](auto element, auto classes) {
    using T = decltype(element);
    launch(find_gradient<T, decltype(classes)::value>,
           dim3(blocks_for(in.voxels), static_cast<unsigned>(in.samples)), dim3(kThreads), stream,
           in, by, static_cast<T*>(gradient));
  });
}

}  // namespace hepar::nn::cuda
