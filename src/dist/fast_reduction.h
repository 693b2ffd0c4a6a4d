#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "bucket_transport.h"
#include "flat_gradients.h"
#include "reduction_strategy.h"

namespace hepar {

/// Parameters cut into buckets: reverse order (backward reaches the last layers first), the first
/// bucket at most 1 MiB so that it leaves early, the others at most 25 MiB. A larger parameter is a
/// bucket of its own.
std::vector<std::vector<std::size_t>> plan_buckets(const std::vector<at::Tensor>& parameters);

/// Bucketed sums whose order is left to the transport. Buckets leave strictly in order: bucket i
/// after i - 1, from a hook while backward runs where the transport can, the rest in finish().
class FastReduction : public ReductionStrategy {
 public:
  /// `transport` null: one rank, nothing to send.
  FastReduction(std::vector<at::Tensor> parameters, std::unique_ptr<BucketTransport> transport);
  ~FastReduction() override;

  void overlap_next_backward() override;
  void add_micro_batch() override {}
  void finish() override;
  [[nodiscard]] std::uint64_t collective_hash() const override { return hash_; }

 private:
  struct Bucket {
    std::vector<at::Tensor> parameters;
    FlatGradients sums;
    std::size_t missing = 0;  ///< gradients of the overlapped backward that have not arrived
  };
  class Hook;

  void install_hooks();
  void gradient_arrived(std::size_t bucket);
  void start_next_bucket();

  std::vector<at::Tensor> parameters_;
  std::vector<Bucket> buckets_;
  std::unique_ptr<BucketTransport> transport_;  ///< ends before the buckets it writes to
  std::size_t started_ = 0;
  bool overlapping_ = false;
  bool hooked_ = false;
  std::uint64_t hash_ = 0;
};

}  // namespace hepar
