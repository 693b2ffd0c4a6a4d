#include "softmax_kernels.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace hepar::nn {
namespace {

/// The probabilities of one voxel; two or three classes are the rule, for which the compiler knows
/// their number (`Classes`), 0: any.
template <int Classes>
class Softmax {
 public:
  explicit Softmax(const SoftmaxBlock& block)
      : block_(block), p_(static_cast<std::size_t>(block.classes)) {}

  [[nodiscard]] std::int64_t classes() const { return Classes > 0 ? Classes : block_.classes; }

  /// False where the label is no class.
  bool at(std::int64_t voxel) {
    label_ = block_.labels[voxel];
    if (label_ < 0 || label_ >= classes()) {
      return false;
    }
    const float* x = block_.logits + voxel * block_.voxel_stride;
    float highest = x[0];
    for (std::int64_t c = 1; c < classes(); ++c) {
      highest = std::max(highest, x[c * block_.class_stride]);
    }
    sum_ = 0;
    float* p = p_.data();
    for (std::int64_t c = 0; c < classes(); ++c) {
      p[c] = std::exp(x[c * block_.class_stride] - highest);
      sum_ += p[c];
    }
    of_label_ = x[label_ * block_.class_stride] - highest;
    const float inverse = 1 / sum_;
    for (std::int64_t c = 0; c < classes(); ++c) {
      p[c] *= inverse;
    }
    return true;
  }

  [[nodiscard]] std::int64_t label() const { return label_; }
  [[nodiscard]] float operator[](std::int64_t c) const { return p_[static_cast<std::size_t>(c)]; }
  [[nodiscard]] float nll() const { return std::log(sum_) - of_label_; }

 private:
  const SoftmaxBlock& block_;
  std::vector<float> p_;
  std::int64_t label_ = 0;
  float sum_ = 0, of_label_ = 0;
};

template <int Classes>
void add_terms(const SoftmaxBlock& block, const SoftmaxSums& sums) {
  Softmax<Classes> p(block);
  for (std::int64_t v = 0; v < block.voxels; ++v) {
    if (p.at(v)) {
      sums.nll[p.label()] += static_cast<double>(p.nll());
      sums.voxels[p.label()] += 1;
      sums.overlap[p.label()] += static_cast<double>(p[p.label()]);
      for (std::int64_t c = 0; c < p.classes(); ++c) {
        sums.prediction[c] += static_cast<double>(p[c]);
      }
    }
  }
}

/// With d_c the gradient of p_c, by the logits: p_c (d_c - Σ d p), and p_c - [c is the label] of
/// the cross-entropy.
template <int Classes>
void write_gradient(const SoftmaxBlock& block, const SoftmaxGradients& by, float* gradient) {
  Softmax<Classes> p(block);
  for (std::int64_t v = 0; v < block.voxels; ++v) {
    float* out = gradient + v * block.voxel_stride;
    const bool counts = p.at(v);
    const std::int64_t label = p.label();
    float mean = 0;
    for (std::int64_t c = 0; counts && c < p.classes(); ++c) {
      mean += p[c] * (by.prediction[c] + (c == label ? by.overlap[c] : 0));
    }
    for (std::int64_t c = 0; c < p.classes(); ++c) {
      const bool is_label = c == label;
      out[c * block.class_stride] =
          !counts ? 0
                  : by.nll[label] * (p[c] - static_cast<float>(is_label)) +
                        p[c] * (by.prediction[c] + (is_label ? by.overlap[c] : 0) - mean);
    }
  }
}

}  // namespace

void add_softmax_terms(const SoftmaxBlock& block, const SoftmaxSums& sums) {
  switch (block.classes) {
    case 2:
      return add_terms<2>(block, sums);
    case 3:
      return add_terms<3>(block, sums);
    default:
      return add_terms<0>(block, sums);
  }
}

void softmax_terms_gradient(const SoftmaxBlock& block, const SoftmaxGradients& by,
                            float* gradient) {
  switch (block.classes) {
    case 2:
      return write_gradient<2>(block, by, gradient);
    case 3:
      return write_gradient<3>(block, by, gradient);
    default:
      return write_gradient<0>(block, by, gradient);
  }
}

}  // namespace hepar::nn
