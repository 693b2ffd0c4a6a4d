#pragma once
#include <ATen/core/Tensor.h>

#include <hepar/comm/communicator.h>
#include <cstdint>
#include <memory>
#include <vector>

namespace hepar {

/// How gradients of the global batch are summed (DESIGN §5).
enum class Reduction {
  kTree,  ///< fixed binary tree over K logical shards: the same bits on 1, 2, 4 … ranks
  kFast,  ///< the order is left to MPI or NCCL
};

struct ReducerOptions {
  Reduction reduction = Reduction::kTree;
  std::int64_t shards = 1;       ///< K; tree only: a power of two, ranks <= K
  std::string backend = "auto";  ///< auto | mpi | nccl; auto: NCCL for CUDA tensors, MPI for CPU
};

/// Sums gradients over micro-batches and ranks. The loss of each micro-batch must already be
/// divided by the *global* denominator, so that sums, never means, are taken and uneven ranks are
/// exact.
///
///   for each micro-batch: loss.backward(); reducer.add_micro_batch();
///   reducer.finish();     // parameter.grad() is now the gradient of the global batch, on every
///   rank
///
/// tree: each micro-batch is one leaf, added in shard order; a rank folds its K/N consecutive
/// leaves like a binary counter (at most log2 K + 1 gradient sets alive), then ranks combine
/// pairwise by recursive doubling. fast: gradients accumulate in place; buckets (first <= 1 MiB,
/// then 25 MiB, in reverse parameter order) are all-reduced in 1 MiB segments. A missing gradient
/// counts as zeros. Collective; main thread.
class GradientReducer {
 public:
  GradientReducer(std::vector<at::Tensor> parameters, Communicator& communicator,
                  const ReducerOptions& options);
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;
  GradientReducer(GradientReducer&&) = delete;
  GradientReducer& operator=(GradientReducer&&) = delete;

  /// Optional; before the last backward of a step. With NCCL, buckets then start while it runs;
  /// elsewhere it does nothing.
  void overlap_next_backward();
  void add_micro_batch();
  void finish();
  /// Hash of what was reduced so far, in order; the same on all ranks unless one went astray
  /// (StepFlags).
  [[nodiscard]] std::uint64_t collective_hash() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The slots of the global batch that make one micro-batch: [first, first + count).
struct SlotRange {
  std::int64_t first = 0;
  std::int64_t count = 0;
  friend bool operator==(const SlotRange&, const SlotRange&) = default;
};

/// The micro-batches of `rank`. tree: its K/N shards of the global batch, each of floor or
/// ceil(B/K) slots; fast: its contiguous share, as one micro-batch. Throws ConfigError: more ranks
/// than samples; tree with K or ranks not a power of two, or ranks <= K <= B broken; the text
/// proposes what to run instead.
std::vector<SlotRange> micro_batches(std::int64_t global_batch, int rank, int ranks,
                                     const ReducerOptions& options);

/// Sums vectors over all micro-batches of all ranks in the reducer's own order (tree: bit-equal for
/// any rank count). `parts`: one vector of equal length a micro-batch of this rank, in shard order.
/// Collective.
std::vector<double> reduce_in_order(const std::vector<std::vector<double>>& parts,
                                    Communicator& communicator, const ReducerOptions& options);

}  // namespace hepar
