#include "kernels_on_cuda.h"
#include "norm_kernels_cuda.h"
#include "norm_passes.h"

#ifdef HEPAR_HAVE_CUDA

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace hepar::nn {
namespace {

/// The shape, and scratch for its sums, on the current stream of x's device.
struct Scratch {
  at::Tensor sums;
  cuda::NormLaunch launch;

  Scratch(const at::Tensor& x, const NormActivation& how) {
    const cuda::NormShape shape{x.size(0), x.size(1), x.numel() / (x.size(0) * x.size(1)),
                                group_width(x, how)};
    sums = at::empty({cuda::norm_scratch_values(shape)}, x.options().dtype(at::kDouble));
    launch = {shape, element_of(x), c10::cuda::getCurrentCUDAStream(x.device().index()).stream(),
              sums.mutable_data_ptr<double>()};
  }
};

cuda::Coefficients coefficients_at(const at::Tensor& packed) {
  float* first = packed.data_ptr<float>();
  const std::int64_t n = packed.size(1);
  return {first, first + n, first + 2 * n, first + 3 * n};
}

}  // namespace

NormForward norm_forward_cuda(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                              const NormActivation& how) {
  const c10::cuda::CUDAGuard guard(x.device());
  const Scratch scratch(x, how);
  NormForward done{at::empty_like(x),
                   at::empty({4, scratch.launch.shape.values()}, x.options().dtype(at::kFloat))};
  cuda::norm_forward(scratch.launch,
                     {x.const_data_ptr(), weight.const_data_ptr<float>(),
                      bias.const_data_ptr<float>(), how.epsilon, static_cast<float>(how.slope),
                      coefficients_at(done.coefficients), done.y.mutable_data_ptr()});
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return done;
}

NormGradients norm_backward_cuda(const at::Tensor& x, const at::Tensor& gradient,
                                 const at::Tensor& coefficients, const NormActivation& how) {
  const c10::cuda::CUDAGuard guard(x.device());
  const Scratch scratch(x, how);
  const auto floats = x.options().dtype(at::kFloat);
  const at::Tensor map = at::empty({2, scratch.launch.shape.values()}, floats);
  NormGradients done{at::empty_like(x), at::empty({x.size(1)}, floats),
                     at::empty({x.size(1)}, floats)};
  cuda::norm_backward(scratch.launch,
                      {x.const_data_ptr(), gradient.const_data_ptr(), static_cast<float>(how.slope),
                       coefficients_at(coefficients), map.data_ptr<float>(),
                       map.data_ptr<float>() + map.size(1), done.x.mutable_data_ptr(),
                       done.weight.mutable_data_ptr<float>(), done.bias.mutable_data_ptr<float>()});
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return done;
}

}  // namespace hepar::nn

#else

namespace hepar::nn {

NormForward norm_forward_cuda(const at::Tensor& /*x*/, const at::Tensor& /*weight*/,
                              const at::Tensor& /*bias*/, const NormActivation& /*how*/) {
  refuse_without_cuda();
}
NormGradients norm_backward_cuda(const at::Tensor& /*x*/, const at::Tensor& /*gradient*/,
                                 const at::Tensor& /*coefficients*/,
                                 const NormActivation& /*how*/) {
  refuse_without_cuda();
}

}  // namespace hepar::nn

#endif
