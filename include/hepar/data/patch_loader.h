#pragma once
#include <ATen/core/Tensor.h>

#include <hepar/data/augmentation.h>
#include <hepar/data/patch_sampler.h>
#include <hepar/dist/gradient_reducer.h>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace hepar {

/// One micro-batch: image [n, C, z, y, x] float32, labels [n, z, y, x] int64 (−1 only when
/// ignored), and which case of the list each sample is of.
struct SegmentationBatch {
  at::Tensor image;
  at::Tensor labels;
  std::vector<std::size_t> cases;
};

/// Which patch stands at (step, slot). Called from several threads.
using PatchRequests = std::function<PatchRequest(std::int64_t step, std::int64_t slot)>;

/// Produces the micro-batches of this rank, step by step, ahead of time in background threads. What
/// comes out depends on (seed, step, slot) only, never on threads or depth. A worker's exception is
/// rethrown by next() with the case it happened in. Worker threads call neither MPI nor Torch
/// operators.
class PatchLoader {
 public:
  struct Options {
    std::vector<SlotRange> micro_batches;
    bool pinned = false;      ///< tensors in memory that a GPU copies without the processor
    bool one_by_one = false;  ///< a batch of its own for each slot: samples may differ in size
    std::int64_t first_step = 0;
    int threads = 1;         ///< that read and augment
    int prefetch_steps = 2;  ///< steps made ahead, the one being waited for included
    std::uint64_t seed = 0;
    AugmentTask task;  ///< size 0: samples keep the size of their box
    AugmentationConfig augmentation;
  };
  /// The sets of `cases`, and what `requests` refers to, must outlive the loader.
  PatchLoader(CaseList cases, PatchRequests requests, Options options);
  PatchLoader(CaseList cases, const PatchSampler& sampler, Options options);
  ~PatchLoader();
  PatchLoader(const PatchLoader&) = delete;
  PatchLoader& operator=(const PatchLoader&) = delete;
  PatchLoader(PatchLoader&&) = delete;
  PatchLoader& operator=(PatchLoader&&) = delete;

  /// The micro-batches (or samples) of the next step, in slot order, as fresh CPU tensors. After an
  /// error every further call throws the same one.
  std::vector<SegmentationBatch> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hepar
