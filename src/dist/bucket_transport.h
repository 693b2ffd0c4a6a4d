#pragma once
#include <ATen/core/Tensor.h>

#include <memory>

#include "hepar/comm/communicator.h"

namespace hepar {

/// Sums buckets over the ranks. start() may return before the sum is there; finish() makes all of
/// them visible to what the caller does next. Buckets are started in the same order on all ranks.
class BucketTransport {
 public:
  BucketTransport() = default;
  virtual ~BucketTransport() = default;
  BucketTransport(const BucketTransport&) = delete;
  BucketTransport& operator=(const BucketTransport&) = delete;
  BucketTransport(BucketTransport&&) = delete;
  BucketTransport& operator=(BucketTransport&&) = delete;

  /// True when start() may be called from an autograd hook, on any thread, and overlaps with
  /// compute.
  [[nodiscard]] virtual bool starts_early() const = 0;
  /// `bucket`: [n] float32, summed in place; must stay alive until finish() returns.
  virtual void start(const at::Tensor& bucket) = 0;
  virtual void finish() = 0;
};

/// MPI: blocking. Buckets on a GPU travel through pinned host memory.
std::unique_ptr<BucketTransport> make_mpi_transport(Communicator& communicator);

/// NCCL on a stream of its own. Collective (the id is broadcast over `communicator`). Throws
/// ConfigError in a build without CUDA.
std::unique_ptr<BucketTransport> make_nccl_transport(Communicator& communicator, at::Device device);

}  // namespace hepar
