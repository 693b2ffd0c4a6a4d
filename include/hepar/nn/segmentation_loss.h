#pragma once
#include <ATen/core/Tensor.h>

#include <hepar/core/config.h>
#include <hepar/nn/regions.h>
#include <array>
#include <cstdint>
#include <vector>

namespace hepar {

/// nnU-Net's Dice + cross-entropy with deep supervision (segmentation.md §1.9).
struct SegmentationLossConfig {
  double dice_weight = 1;
  double ce_weight = 1;
  double dice_smooth = 1e-5;
  std::vector<double> class_weights;  ///< of the cross-entropy; empty: all 1
  void declare(ConfigSchema& schema);
};

/// The loss as sums that can be added over any split of the global batch and divided once.
///
/// One training step:
///   1. for each micro-batch: Terms t = loss.forward(logits, labels)  (keeps the graph)
///   2. all micro-batches' t.sums() are added over ranks and shards (reduce_in_order)
///   3. for each micro-batch: loss.surrogate(t, totals).backward()
/// Without batch Dice the totals of denominators() do in step 3, so that a micro-batch's graph need
/// not be kept until all others have theirs.
/// The gradients of the surrogates add up to that of the loss of the whole global batch, also with
/// uneven micro-batches, ignored voxels, class weights and batch Dice.
class SegmentationLoss {
 public:
  struct Options {
    SegmentationLossConfig config;
    std::int64_t classes = 2;
    bool batch_dice = false;  ///< per-class sums span the global batch
    std::vector<double>
        level_weights;  ///< deep supervision, full resolution first; 0 = level not computed
    std::int64_t ignore_label = -1;
    /// One output each, with sigmoid: cross-entropy becomes the mean binary one over voxels and
    /// regions, and Dice counts every region. Empty: one softmax over the classes.
    std::vector<Region> regions = {};
  };
  explicit SegmentationLoss(Options options);

  /// Sums of one micro-batch, differentiable tensors kept beside their values.
  struct Terms {
    std::vector<at::Tensor> graph;  ///< what surrogate() needs
    at::Tensor values;              ///< [S] double, without a graph
    /// Numerators and denominators, of fixed number for a given loss. On a GPU it waits for them.
    [[nodiscard]] std::vector<double> sums() const;
  };
  /// logits: full resolution first; labels [n, z, y, x] int64 at full resolution, brought to each
  /// level by nearest-exact subsampling.
  [[nodiscard]] Terms forward(const std::vector<at::Tensor>& logits,
                              const at::Tensor& labels) const;

  [[nodiscard]] bool has_batch_dice() const { return options_.batch_dice; }
  /// What Terms::sums() will be, with 0 for the numerators: of labels on the CPU, and logits of the
  /// sizes that theirs will have. The denominators depend on the labels only.
  [[nodiscard]] std::vector<double> denominators(const std::vector<at::Tensor>& logits,
                                                 const at::Tensor& labels) const;

  /// A scalar whose gradient is this micro-batch's share of the global loss's gradient.
  [[nodiscard]] at::Tensor surrogate(const Terms& terms, const std::vector<double>& totals) const;

  /// The global loss and its parts from the added sums.
  struct Value {
    double loss = 0, dice_loss = 0, cross_entropy = 0;
  };
  [[nodiscard]] Value value(const std::vector<double>& totals) const;

 private:
  [[nodiscard]] std::int64_t outputs() const;
  [[nodiscard]] at::Tensor weighed(const at::Tensor& values) const;
  struct LevelSums;
  [[nodiscard]] LevelSums class_sums(const at::Tensor& logits, const at::Tensor& labels) const;
  [[nodiscard]] LevelSums region_sums(const at::Tensor& logits, const at::Tensor& labels) const;
  void add_level(Terms& terms, std::vector<at::Tensor>& sums, const at::Tensor& logits,
                 const at::Tensor& labels) const;
  at::Tensor batch_dice_surrogate(const at::Tensor* graph, const double* totals) const;

  Options options_;
};

/// 1, ½, ¼, …, the last 0, normalised to sum 1 (5 levels: .5333 .2667 .1333 .0667 0). One level: 1.
std::vector<double> deep_supervision_weights(std::size_t levels);

}  // namespace hepar
