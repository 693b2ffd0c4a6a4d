#include "kernels_on_cuda.h"

#include "hepar/core/error.h"

namespace hepar::nn {

bool has_cuda_kernels() {
#ifdef HEPAR_HAVE_CUDA
  return true;
#else
  return false;
#endif
}

bool is_for_cuda_kernels(const at::Tensor& x) {
  return x.is_cuda() && has_cuda_kernels() &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kHalf ||
          x.scalar_type() == at::kBFloat16);
}

void refuse_without_cuda() {
  throw ConfigError("device: this program was built without CUDA; configure with HEPAR_CUDA=ON");
}

}  // namespace hepar::nn
