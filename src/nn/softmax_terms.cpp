#include "softmax_terms.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "full_precision.h"
#include "pieces.h"
#include "softmax_kernels.h"

namespace hepar::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kSums = 4;  // as SoftmaxTerms has them

constexpr std::int64_t kPieceVoxels = 16384;

/// Logits of `samples` samples, dense in either order, and their labels.
struct Layout {
  Layout(const at::Tensor& logits, const at::Tensor& labels)
      : x(logits.const_data_ptr<float>()),
        label(labels.const_data_ptr<std::int64_t>()),
        classes(logits.size(1)),
        pieces{logits.size(0), labels[0].numel(), kPieceVoxels},
        voxel_stride(logits.is_contiguous() ? 1 : classes) {}

  /// Index of a piece's first logit.
  [[nodiscard]] std::int64_t offset(const Piece& piece) const {
    return piece.sample * pieces.voxels * classes + piece.first * voxel_stride;
  }
  [[nodiscard]] SoftmaxBlock block(const Piece& piece) const {
    return {.logits = x + offset(piece),
            .labels = label + piece.sample * pieces.voxels + piece.first,
            .voxels = piece.voxels,
            .classes = classes,
            .voxel_stride = voxel_stride,
            .class_stride = voxel_stride == 1 ? pieces.voxels : 1};
  }

  const float* x;
  const std::int64_t* label;
  std::int64_t classes;
  Pieces pieces;
  std::int64_t voxel_stride;
};

SoftmaxSums sums_at(double* first, std::int64_t classes) {
  return {first, first + classes, first + 2 * classes, first + 3 * classes};
}

/// [n, kSums, classes] double.
class FusedTerms : public torch::autograd::Function<FusedTerms> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& logits,
                            const at::Tensor& labels) {
    context->save_for_backward({logits, labels});
    const Layout layout(logits, labels);
    const Pieces& pieces = layout.pieces;
    at::Tensor sums =
        at::zeros({pieces.samples, pieces.per_sample(), kSums, layout.classes}, at::kDouble);
    double* first = sums.mutable_data_ptr<double>();
    pieces.for_each([&](std::int64_t index, const Piece& piece) {
      add_softmax_terms(layout.block(piece),
                        sums_at(first + index * kSums * layout.classes, layout.classes));
    });
    at::Tensor total = at::zeros({pieces.samples, kSums, layout.classes}, at::kDouble);
    for (std::int64_t piece = 0; piece < pieces.per_sample(); ++piece) {
      total += sums.select(1, piece);
    }
    return total;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Layout layout(saved[0], saved[1]);
    const at::Tensor by = gradients[0].to(at::kFloat).contiguous();
    at::Tensor result = at::empty_like(saved[0]);
    const float* first = by.const_data_ptr<float>();
    float* out = result.mutable_data_ptr<float>();
    layout.pieces.for_each([&](std::int64_t, const Piece& piece) {
      const float* here = first + piece.sample * kSums * layout.classes;
      softmax_terms_gradient(layout.block(piece),
                             {here, here + 2 * layout.classes, here + 3 * layout.classes},
                             out + layout.offset(piece));
    });
    return {result, at::Tensor()};
  }
};

bool can_fuse(const at::Tensor& logits, const at::Tensor& labels) {
  const bool dense =
      logits.is_contiguous() || logits.is_contiguous(at::MemoryFormat::ChannelsLast3d);
  return logits.is_cpu() && logits.scalar_type() == at::kFloat && dense && labels.is_contiguous() &&
         labels.numel() > 0;
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
