#include "kernels_on_cuda.h"
#include "softmax_input.h"
#include "softmax_passes.h"

#ifdef HEPAR_HAVE_CUDA

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

namespace hepar::nn {
at::Tensor softmax_sums_cuda(const at::Tensor& logits, const at::Tensor& labels) {
  const c10::cuda::CUDAGuard guard(logits.device());
  const cuda::SoftmaxInput in = softmax_input(logits, labels);
  const auto doubles =
      logits.options().dtype(at::kDouble).memory_format(at::MemoryFormat::Contiguous);
  const at::Tensor scratch = at::empty({cuda::softmax_scratch_values(in)}, doubles);
  at::Tensor totals = at::empty({in.samples, kSoftmaxSums, in.classes}, doubles);
  cuda::softmax_terms(in, scratch.mutable_data_ptr<double>(), totals.mutable_data_ptr<double>(),
                      c10::cuda::getCurrentCUDAStream(logits.device().index()).stream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return totals;
}

at::Tensor softmax_gradient_cuda(const at::Tensor& logits, const at::Tensor& labels,
                                 const at::Tensor& by) {
  const c10::cuda::CUDAGuard guard(logits.device());
  const at::Tensor narrow = by.to(at::kFloat).contiguous();
  at::Tensor result = at::empty_like(logits);
  cuda::softmax_terms_gradient(softmax_input(logits, labels), narrow.const_data_ptr<float>(),
                               result.mutable_data_ptr(),
                               c10::cuda::getCurrentCUDAStream(logits.device().index()).stream());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return result;
}

}  // namespace hepar::nn

#else

namespace hepar::nn {

at::Tensor softmax_sums_cuda(const at::Tensor& /*logits*/, const at::Tensor& /*labels*/) {
  refuse_without_cuda();
}
at::Tensor softmax_gradient_cuda(const at::Tensor& /*logits*/, const at::Tensor& /*labels*/,
                                 const at::Tensor& /*by*/) {
  refuse_without_cuda();
}

}  // namespace hepar::nn

#endif
