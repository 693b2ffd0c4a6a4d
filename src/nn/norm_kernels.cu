#include "cuda_kernels.h"
#include "norm_kernels_cuda.h"

namespace hepar::nn::cuda {
namespace {

constexpr unsigned kWarp = 32;
// Values that a thread adds up in float before they join a double: double additions are slow on
// many GPUs, and so few do not cost the variance its digits.
constexpr int kRun = 16;
// Pieces of a sample: enough blocks to fill a GPU, few enough that their sums are cheap to add.
constexpr std::int64_t kMostPieces = 1024;
constexpr std::int64_t kPieceVoxels = 512;

/// V neighbouring channels, moved at once.
template <class T, int V>
struct alignas(sizeof(T) * V) Pack {
  T value[V];
};

__device__ float through_activation(float gradient, float z, float slope) {
  return gradient * (z > 0 ? 1.0F : slope);
}

// --- How threads lie over x: x of a block over packs of channels, y over voxels of a piece ---

struct Pieces {
  std::int64_t count, voxels;  ///< of a sample; of a piece

  explicit Pieces(const NormShape& shape)
      : count(min(kMostPieces, over(shape.voxels, kPieceVoxels))),
        voxels(over(shape.voxels, count)) {}
};

struct Layout {
  dim3 block, grid;

  Layout(const NormShape& shape, int pack, std::int64_t pieces) {
    const std::int64_t packs = shape.channels / pack;
    unsigned width = kWarp;
    while (width > 1 && width / 2 >= packs) {
      width /= 2;
    }
    block = dim3(width, kThreads / width);
    grid = dim3(static_cast<unsigned>(pieces), static_cast<unsigned>(over(packs, width)),
                static_cast<unsigned>(shape.samples));
  }
};

/// A thread's part of x.
template <int V>
struct Place {
  std::int64_t channel, coefficient;  ///< first of its channels; index into [samples · channels]
  std::int64_t first, last;           ///< voxels
  std::int64_t row;                   ///< index of a sample's voxel 0, these channels
  bool inside;

  __device__ Place(const NormShape& shape, std::int64_t piece_voxels)
      : channel((static_cast<std::int64_t>(blockIdx.y) * blockDim.x + threadIdx.x) * V),
        coefficient(blockIdx.z * shape.channels + channel),
        first(blockIdx.x * piece_voxels + threadIdx.y),
        last(min(shape.voxels, (blockIdx.x + 1) * piece_voxels)),
        row(blockIdx.z * shape.voxels * shape.channels + channel),
        inside(channel < shape.channels) {}
};

template <int V>
struct Map {
  float scale[V], shift[V];
  __device__ Map(const float* scales, const float* shifts, std::int64_t at) {
    for (int i = 0; i < V; ++i) {
      scale[i] = scales[at + i];
      shift[i] = shifts[at + i];
    }
  }
  __device__ float operator()(float x, int i) const { return x * scale[i] + shift[i]; }
};

// --- Sums: two of each channel, by piece, then over pieces ---

/// Adds the threads of a block that share channels, in order, and writes the two sums.
__device__ void add_rows(double first, double second, double* to_first, double* to_second,
                         bool inside) {
  __shared__ double sums[2][kThreads];
  const unsigned here = threadIdx.y * blockDim.x + threadIdx.x;
  __syncthreads();  // the call before may still be read
  sums[0][here] = first;
  sums[1][here] = second;
  __syncthreads();
  if (threadIdx.y == 0 && inside) {
    for (unsigned y = 1; y < blockDim.y; ++y) {
      first += sums[0][y * blockDim.x + threadIdx.x];
      second += sums[1][y * blockDim.x + threadIdx.x];
    }
    *to_first = first;
    *to_second = second;
  }
}

/// x and x².
template <class T, int V>
struct Moments {
  const T* x;

  struct Reader {
    const T* x;
    __device__ void operator()(std::int64_t at, float (&first)[V], float (&second)[V]) const {
      const auto values = *reinterpret_cast<const Pack<T, V>*>(x + at);
      for (int i = 0; i < V; ++i) {
        const float value = to_float(values.value[i]);
        first[i] += value;
        second[i] += value * value;
      }
    }
  };
  __device__ Reader reader(std::int64_t /*coefficient*/) const { return {x}; }
};

/// g, the gradient of the norm's output, and g · the normalised x.
template <class T, int V>
struct GradientSums {
  const T* x;
  const T* gradient;
  Coefficients k;
  float slope;

  struct Reader {
    const T* x;
    const T* gradient;
    Map<V> output, normal;
    float slope;
    __device__ void operator()(std::int64_t at, float (&first)[V], float (&second)[V]) const {
      const auto values = *reinterpret_cast<const Pack<T, V>*>(x + at);
      const auto gradients = *reinterpret_cast<const Pack<T, V>*>(gradient + at);
      for (int i = 0; i < V; ++i) {
        const float value = to_float(values.value[i]);
        const float g = through_activation(to_float(gradients.value[i]), output(value, i), slope);
        first[i] += g;
        second[i] += g * normal(value, i);
      }
    }
  };
  __device__ Reader reader(std::int64_t at) const {
    return {x, gradient, {k.scale, k.shift, at}, {k.normal_scale, k.normal_shift, at}, slope};
  }
};

/// sums: [2, samples, pieces, channels].
template <int V, class Values>
__global__ void __launch_bounds__(kThreads)
    sum_pieces(NormShape shape, std::int64_t piece_voxels, Values values, double* sums) {
  const Place<V> place(shape, piece_voxels);
  double first[V] = {}, second[V] = {};
  if (place.inside) {
    const auto read = values.reader(place.coefficient);
    for (std::int64_t v = place.first; v < place.last;) {
      float run_first[V] = {}, run_second[V] = {};
      for (int i = 0; i < kRun && v < place.last; ++i, v += blockDim.y) {
        read(place.row + v * shape.channels, run_first, run_second);
      }
      for (int i = 0; i < V; ++i) {
        first[i] += static_cast<double>(run_first[i]);
        second[i] += static_cast<double>(run_second[i]);
      }
    }
  }
  const std::int64_t piece = static_cast<std::int64_t>(blockIdx.z) * gridDim.x + blockIdx.x;
  double* to = sums + piece * shape.channels + place.channel;
  double* to_second = to + shape.samples * gridDim.x * shape.channels;
  for (int i = 0; i < V; ++i) {
    add_rows(first[i], second[i], to + i, to_second + i, place.inside);
  }
}

/// totals: [2, samples, channels]. One block for up to a warp of channels of a sample.
__global__ void __launch_bounds__(kThreads)
    sum_over_pieces(NormShape shape, std::int64_t pieces, const double* sums, double* totals) {
  const Place<1> place(shape, shape.voxels);
  double first = 0, second = 0;
  for (std::int64_t p = threadIdx.y; place.inside && p < pieces; p += blockDim.y) {
    const double* from = sums + (blockIdx.z * pieces + p) * shape.channels + place.channel;
    first += *from;
    second += from[shape.samples * pieces * shape.channels];
  }
  double* to = totals + place.coefficient;
  add_rows(first, second, to, to + shape.values(), place.inside);
}

// --- What the sums say, one thread a sample and channel ---

__device__ std::int64_t thread_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

struct GroupTotals {
  double first, second;
};

/// The two totals of the group that sample and channel `i` are in, each times the factor of its own
/// channel.
template <class Factor>
__device__ GroupTotals over_group(const NormShape& shape, const double* totals, std::int64_t i,
                                  const Factor& factor) {
  const std::int64_t begin = i / shape.group_width * shape.group_width;
  GroupTotals sum{};
  for (std::int64_t j = begin; j < begin + shape.group_width; ++j) {
    sum.first += factor(j) * totals[j];
    sum.second += factor(j) * totals[shape.values() + j];
  }
  return sum;
}

__global__ void find_coefficients(NormShape shape, const double* totals, ForwardPass pass) {
  const std::int64_t i = thread_index();
  if (i >= shape.values()) {
    return;
  }
  const double count = static_cast<double>(shape.voxels * shape.group_width);
  const GroupTotals sum = over_group(shape, totals, i, [](std::int64_t) { return 1.0; });
  const double mean = sum.first / count;
  const double inverse = rsqrt(fmax(0.0, sum.second / count - mean * mean) + pass.epsilon);
  const std::int64_t c = i % shape.channels;
  const double scale = static_cast<double>(pass.weight[c]) * inverse;
  const Coefficients& to = pass.coefficients;
  to.scale[i] = static_cast<float>(scale);
  to.shift[i] = static_cast<float>(static_cast<double>(pass.bias[c]) - mean * scale);
  to.normal_scale[i] = static_cast<float>(inverse);
  to.normal_shift[i] = static_cast<float>(-mean * inverse);
}

/// With h the normalised x: dx = scale · g − mean(scale · g) − h · mean(scale · g · h), means over
/// the group, written out in x.
__global__ void find_input_gradient(NormShape shape, const double* totals, BackwardPass pass) {
  const std::int64_t i = thread_index();
  if (i >= shape.values()) {
    return;
  }
  const Coefficients& k = pass.coefficients;
  const double count = static_cast<double>(shape.voxels * shape.group_width);
  const GroupTotals sum =
      over_group(shape, totals, i, [&](std::int64_t j) { return static_cast<double>(k.scale[j]); });
  const double by_normal = -sum.second / count;
  pass.by_value[i] = static_cast<float>(by_normal * static_cast<double>(k.normal_scale[i]));
  pass.constant[i] =
      static_cast<float>(by_normal * static_cast<double>(k.normal_shift[i]) - sum.first / count);
}

__global__ void find_parameter_gradients(NormShape shape, const double* totals, float* dweight,
                                         float* dbias) {
  const std::int64_t c = thread_index();
  if (c >= shape.channels) {
    return;
  }
  double gradient = 0, projection = 0;
  for (std::int64_t n = 0; n < shape.samples; ++n) {
    gradient += totals[n * shape.channels + c];
    projection += totals[shape.values() + n * shape.channels + c];
  }
  dweight[c] = static_cast<float>(projection);
  dbias[c] = static_cast<float>(gradient);
}

// --- Passes over x that write ---

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    activate(NormShape shape, std::int64_t piece_voxels, ForwardPass pass) {
  const Place<V> place(shape, piece_voxels);
  if (!place.inside) {
    return;
  }
  const Map<V> output(pass.coefficients.scale, pass.coefficients.shift, place.coefficient);
  for (std::int64_t v = place.first; v < place.last; v += blockDim.y) {
    const std::int64_t at = place.row + v * shape.channels;
    const auto x = *reinterpret_cast<const Pack<T, V>*>(static_cast<const T*>(pass.x) + at);
    Pack<T, V> y;
    for (int i = 0; i < V; ++i) {
      const float z = output(to_float(x.value[i]), i);
      from_float(through_activation(z, z, pass.slope), y.value[i]);
    }
    *reinterpret_cast<Pack<T, V>*>(static_cast<T*>(pass.y) + at) = y;
  }
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    input_gradient(NormShape shape, std::int64_t piece_voxels, BackwardPass pass) {
  const Place<V> place(shape, piece_voxels);
  if (!place.inside) {
    return;
  }
  const Map<V> output(pass.coefficients.scale, pass.coefficients.shift, place.coefficient);
  const Map<V> rest(pass.by_value, pass.constant, place.coefficient);
  for (std::int64_t v = place.first; v < place.last; v += blockDim.y) {
    const std::int64_t at = place.row + v * shape.channels;
    const auto x = *reinterpret_cast<const Pack<T, V>*>(static_cast<const T*>(pass.x) + at);
    const auto gradient =
        *reinterpret_cast<const Pack<T, V>*>(static_cast<const T*>(pass.gradient) + at);
    Pack<T, V> dx;
    for (int i = 0; i < V; ++i) {
      const float value = to_float(x.value[i]);
      const float g = through_activation(to_float(gradient.value[i]), output(value, i), pass.slope);
      from_float(g * output.scale[i] + rest(value, i), dx.value[i]);
    }
    *reinterpret_cast<Pack<T, V>*>(static_cast<T*>(pass.dx) + at) = dx;
  }
}

// --- Launches ---

/// Channels that can be moved at once from all of these pointers.
template <class T>
int pack_of(const NormShape& shape, std::initializer_list<const void*> pointers) {
  bool aligned = shape.channels % 4 == 0;
  for (const void* pointer : pointers) {
    aligned = aligned && reinterpret_cast<std::uintptr_t>(pointer) % sizeof(Pack<T, 4>) == 0;
  }
  return aligned ? 4 : 1;
}

/// Where the sums over pieces stand in the scratch: behind those of the pieces.
double* totals_of(const NormLaunch& on) {
  return on.sums + 2 * Pieces(on.shape).count * on.shape.values();
}

template <int V, class Values>
void find_totals(const NormLaunch& on, const Values& values) {
  const NormShape& shape = on.shape;
  const Pieces pieces(shape);
  const Layout layout(shape, V, pieces.count);
  launch(sum_pieces<V, Values>, layout.grid, layout.block, on.stream, shape, pieces.voxels, values,
         on.sums);
  const Layout total(shape, 1, 1);
  launch(sum_over_pieces, total.grid, total.block, on.stream, shape, pieces.count, on.sums,
         totals_of(on));
}

template <class T, int V>
void forward(const NormLaunch& on, const ForwardPass& pass) {
  const NormShape& shape = on.shape;
  find_totals<V>(on, Moments<T, V>{static_cast<const T*>(pass.x)});
  launch(find_coefficients, blocks_for(shape.values()), kThreads, on.stream, shape, totals_of(on),
         pass);
  const Pieces pieces(shape);
  const Layout layout(shape, V, pieces.count);
  launch(activate<T, V>, layout.grid, layout.block, on.stream, shape, pieces.voxels, pass);
}

template <class T, int V>
void backward(const NormLaunch& on, const BackwardPass& pass) {
  const NormShape& shape = on.shape;
  find_totals<V>(
      on, GradientSums<T, V>{static_cast<const T*>(pass.x), static_cast<const T*>(pass.gradient),
                             pass.coefficients, pass.slope});
  const double* totals = totals_of(on);
  launch(find_input_gradient, blocks_for(shape.values()), kThreads, on.stream, shape, totals, pass);
  launch(find_parameter_gradients, blocks_for(shape.channels), kThreads, on.stream, shape, totals,
         pass.dweight, pass.dbias);
  const Pieces pieces(shape);
  const Layout layout(shape, V, pieces.count);
  launch(input_gradient<T, V>, layout.grid, layout.block, on.stream, shape, pieces.voxels, pass);
}

template <class T>
void forward_of(const NormLaunch& on, const ForwardPass& pass) {
  pack_of<T>(on.shape, {pass.x, pass.y}) == 4 ? forward<T, 4>(on, pass) : forward<T, 1>(on, pass);
}

template <class T>
void backward_of(const NormLaunch& on, const BackwardPass& pass) {
  pack_of<T>(on.shape, {pass.x, pass.gradient, pass.dx}) == 4 ? backward<T, 4>(on, pass)
                                                              : backward<T, 1>(on, pass);
}

}  // namespace

std::int64_t norm_scratch_values(const NormShape& shape) {
  return 2 * (Pieces(shape).count + 1) * shape.values();
}

void norm_forward(const NormLaunch& on, const ForwardPass& pass) {
  for_element(on.element, [&](auto element) { forward_of<decltype(element)>(on, pass); });
}

void norm_backward(const NormLaunch& on, const BackwardPass& pass) {
  for_element(on.element, [&](auto element) { backward_of<decltype(element)>(on, pass); });
}

}  // namespace hepar::nn::cuda
