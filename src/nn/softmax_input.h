#pragma once
#include <ATen/core/Tensor.h>

#include "kernels_on_cuda.h"
#include "softmax_kernels_cuda.h"

namespace hepar::nn {

/// Logits and labels, dense in either order, as the kernels take them.
inline cuda::SoftmaxInput softmax_input(const at::Tensor& logits, const at::Tensor& labels) {
  const std::int64_t classes = logits.size(1);
  const std::int64_t voxels = labels.numel() / labels.size(0);
  const bool planes = logits.is_contiguous();
  return {logits.const_data_ptr(),
          element_of(logits),
          labels.const_data_ptr<std::int64_t>(),
          logits.size(0),
          voxels,
          classes,
          planes ? 1 : classes,
          planes ? voxels : 1};
}

}  // namespace hepar::nn
