#pragma once
#include <ATen/core/Tensor.h>

#include "cuda_element.h"

namespace hepar::nn {

/// Whether this program was built with CUDA.
bool has_cuda_kernels();
/// Whether it has kernels for x: a tensor of float, half or bfloat16 on a GPU.
bool is_for_cuda_kernels(const at::Tensor& x);

/// What a build without CUDA does where nobody should come to.
[[noreturn]] void refuse_without_cuda();

inline cuda::Element element_of(const at::Tensor& x) {
  switch (x.scalar_type()) {
    case at::kHalf:
      return cuda::Element::kHalf;
    case at::kBFloat16:
      return cuda::Element::kBfloat16;
    default:
      return cuda::Element::kFloat;
  }
}

}  // namespace hepar::nn
