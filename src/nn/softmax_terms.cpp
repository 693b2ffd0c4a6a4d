#include "softmax_terms.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "full_precision.h"
#include "kernels_on_cuda.h"
#include "softmax_kernels_cuda.h"
#include "softmax_passes.h"

namespace hepar::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// [n, kSoftmaxSums, classes] double.
class FusedTerms : public torch::autograd::Function<FusedTerms> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& logits,
                            const at::Tensor& labels) {
    context->save_for_backward({logits, labels});
    return logits.is_cpu() ? softmax_sums_cpu(logits, labels) : softmax_sums_cuda(logits, labels);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &logits = saved[0], &labels = saved[1], &by = gradients[0];
    return {logits.is_cpu() ? softmax_gradient_cpu(logits, labels, by)
                            : softmax_gradient_cuda(logits, labels, by),
            at::Tensor()};
  }
};

bool has_softmax(const at::Tensor& logits) {
  return logits.is_cpu() ? logits.scalar_type() == at::kFloat
                         : is_for_cuda_kernels(logits) && logits.size(1) <= cuda::kMostClasses;
}

bool can_fuse(const at::Tensor& logits, const at::Tensor& labels) {
  const bool dense =
      logits.is_contiguous() || logits.is_contiguous(at::MemoryFormat::ChannelsLast3d);
  return has_softmax(logits) && dense && labels.is_contiguous() && labels.numel() > 0;
}

/// One-hot labels [n, classes, z, y, x] in the type of `like`; all 0 where the label is no class.
at::Tensor one_hot(const at::Tensor& labels, const at::Tensor& like) {
  const at::Tensor classes = at::arange(like.size(1), labels.options()).view({1, -1, 1, 1, 1});
  return labels.unsqueeze(1).eq(classes).to(like.scalar_type());
}

}  // namespace

SoftmaxTerms softmax_terms_plain(const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor log_p = at::log_softmax(wide(logits), 1);
  const at::Tensor p = log_p.exp();
  const at::Tensor reference = one_hot(labels, log_p);
  return {.nll = voxel_sums(-log_p * reference),
          .voxels = voxel_sums(reference),
          .overlap = voxel_sums(p * reference),
          .prediction = voxel_sums(p * reference.sum(1, /*keepdim=*/true))};
}

SoftmaxTerms softmax_terms(const at::Tensor& logits, const at::Tensor& labels) {
  if (!can_fuse(logits, labels)) {
    return softmax_terms_plain(logits, labels);
  }
  const at::Tensor terms = FusedTerms::apply(logits, labels);
  return {terms.select(1, 0), terms.select(1, 1).detach(), terms.select(1, 2), terms.select(1, 3)};
}

}  // namespace hepar::nn
