#include <ATen/ATen.h>

#include "pieces.h"
#include "softmax_kernels.h"
#include "softmax_passes.h"

namespace hepar::nn {
namespace {

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

}  // namespace

at::Tensor softmax_sums_cpu(const at::Tensor& logits, const at::Tensor& labels) {
  const Layout layout(logits, labels);
  const Pieces& pieces = layout.pieces;
  const std::int64_t values = kSoftmaxSums * layout.classes;
  at::Tensor sums =
      at::zeros({pieces.samples, pieces.per_sample(), kSoftmaxSums, layout.classes}, at::kDouble);
  double* first = sums.mutable_data_ptr<double>();
  pieces.for_each([&](std::int64_t index, const Piece& piece) {
    add_softmax_terms(layout.block(piece), sums_at(first + index * values, layout.classes));
  });
  at::Tensor total = at::zeros({pieces.samples, kSoftmaxSums, layout.classes}, at::kDouble);
  for (std::int64_t piece = 0; piece < pieces.per_sample(); ++piece) {
    total += sums.select(1, piece);
  }
  return total;
}

at::Tensor softmax_gradient_cpu(const at::Tensor& logits, const at::Tensor& labels,
                                const at::Tensor& by) {
  const Layout layout(logits, labels);
  const at::Tensor narrow = by.to(at::kFloat).contiguous();
  at::Tensor result = at::empty_like(logits);
  const float* first = narrow.const_data_ptr<float>();
  float* out = result.mutable_data_ptr<float>();
  layout.pieces.for_each([&](std::int64_t, const Piece& piece) {
    const float* here = first + piece.sample * kSoftmaxSums * layout.classes;
    softmax_terms_gradient(layout.block(piece),
                           {here, here + 2 * layout.classes, here + 3 * layout.classes},
                           out + layout.offset(piece));
  });
  return result;
}

}  // namespace hepar::nn
