#pragma once
#include <hepar/nn/autocast.h>
#include <hepar/nn/csl_loss.h>
#include <hepar/nn/head.h>
#include <hepar/nn/resnet.h>
#include <hepar/nn/volume_input.h>
#include <memory>
#include <vector>

namespace hepar {

struct StagingOptions {
  BackboneConfig backbone;
  std::int64_t in_channels = 2;  ///< of a VOI: image, mask
  VolumeInputConfig volume;
  HeadConfig head;
  std::array<double, 4> stage_prior{0.25, 0.25, 0.25, 0.25};
  bool semantic_branch = false;  ///< for csl.target sem
};

struct StagingOutput {
  at::Tensor features;  ///< [N, K, d, h, w]
  at::Tensor logits;    ///< [N, W] float
  at::Tensor semantic;  ///< logits [N, 1, d, h, w]; undefined without the branch
};

/// Backbone, average over voxels, head; beside them, on request, the winner's SEM branch, which
/// learns the mask from the same features. Parameters: backbone.*, head.*, semantic.*.
class StagingNetwork : public torch::nn::Module {
 public:
  /// Weights from `seed`; those of the backbone do not depend on the head.
  StagingNetwork(const StagingOptions& options, std::uint64_t seed);
  ~StagingNetwork() override;
  StagingNetwork(const StagingNetwork&) = delete;
  StagingNetwork& operator=(const StagingNetwork&) = delete;
  StagingNetwork(StagingNetwork&&) = delete;
  StagingNetwork& operator=(StagingNetwork&&) = delete;

  /// Moves the weights to compute.device; the backbone computes in compute.type from now on.
  void use(const Compute& compute);

  /// VOI [N, C, z, y, x] float, its last channel the mask; see volume_input().
  StagingOutput forward(const at::Tensor& voi);

  /// Backbone::whiten_features() on VOIs.
  void whiten_features(std::size_t count, const Backbone::VoiAt& voi_at);

  [[nodiscard]] Backbone& backbone() { return *backbone_; }
  [[nodiscard]] const Head& head() const { return *head_; }

 private:
  struct SemanticBranch;
  VolumeInputConfig volume_;
  Compute compute_;
  std::shared_ptr<Backbone> backbone_;
  std::shared_ptr<Head> head_;
  std::shared_ptr<SemanticBranch> semantic_;
};

/// What a VOI's loss is computed against.
struct StagingTargets {
  at::Tensor stage;        ///< [N] int64 in [0, 4)
  at::Tensor weight;       ///< [N] weights of the samples in the head's loss; undefined: all 1
  at::Tensor mask;         ///< [N, 1, z, y, x]; only with a class activation loss
  at::Tensor mask_weight;  ///< [N], 0: mask missing or carried over; undefined: all 1
};

/// The head's loss and the class activation loss as sums that can be added over any split of the
/// global batch and divided once, as SegmentationLoss does:
///   1. for each micro-batch: Terms t = loss.forward(network.forward(voi), targets)
///   2. all sums are added over micro-batches and ranks (reduce_in_order)
///   3. for each micro-batch: loss.surrogate(t, totals, csl_weight).backward()
class StagingLoss {
 public:
  /// `head` must outlive the loss. Throws ConfigError (CslLoss) when csl.weight is above 0.
  StagingLoss(const CslConfig& csl, const Head& head);

  struct Terms {
    std::vector<at::Tensor> graph;  ///< numerators: head, activation, semantic
    std::vector<double> sums;       ///< see kSums
  };
  /// Terms::sums: head's numerator and denominator; numerators of the activation and the semantic
  /// loss, and their common denominator, the number of usable masks.
  static constexpr std::size_t kSums = 5;

  [[nodiscard]] Terms forward(const StagingOutput& output, const StagingTargets& targets) const;
  [[nodiscard]] at::Tensor surrogate(const Terms& terms, const std::vector<double>& totals,
                                     double csl_weight) const;

  struct Value {
    double loss = 0, head = 0, activation = 0, semantic = 0;
    double usable_masks = 0;
  };
  [[nodiscard]] Value value(const std::vector<double>& totals, double csl_weight) const;

  /// CslLoss::weight_at(); 0 without it.
  [[nodiscard]] double csl_weight_at(std::int64_t step, std::int64_t steps) const;

 private:
  const Head& head_;
  std::shared_ptr<const CslLoss> csl_;
};

}  // namespace hepar
