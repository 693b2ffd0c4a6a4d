// NCCL behind the bucket interface. The only file that knows whether this build has CUDA.
#include "bucket_transport.h"
#include "hepar/core/error.h"

#ifdef HEPAR_HAVE_CUDA

#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <nccl.h>

#include <chrono>
#include <exception>
#include <span>
#include <string>
#include <thread>

namespace hepar {
namespace {

constexpr std::chrono::minutes kStartDeadline{5};
constexpr std::chrono::minutes kCallDeadline{5};
constexpr std::chrono::seconds kEndDeadline{30};

/// Anything but success is a CommError with rank, call, and both of NCCL's texts.
void nccl_check(ncclResult_t result, const char* call, int rank, ncclComm_t comm) {
  if (result == ncclSuccess) {
    return;
  }
  const char* detail = ncclGetLastError(comm);
  throw CommError(
      "rank " + std::to_string(rank) + ": " + call + " failed: " + ncclGetErrorString(result) +
      (detail == nullptr || *detail == '\0' ? std::string() : std::string(" (") + detail + ")") +
      "; two ranks on one GPU need dist.backend: mpi, NCCL_DEBUG=INFO says more");
}

/// An NCCL communicator, born whole: a non-blocking one, so that a lost peer is an error and not a
/// hang.
class NcclGroup {
 public:
  NcclGroup(Communicator& communicator, at::Device device)
      : rank_(communicator.rank()), exceptions_at_start_(std::uncaught_exceptions()) {
    ncclUniqueId id{};
    if (communicator.is_root()) {
      nccl_check(ncclGetUniqueId(&id), "ncclGetUniqueId", rank_, nullptr);
    }
    communicator.broadcast(std::as_writable_bytes(std::span(&id, 1)), 0);
    const c10::cuda::CUDAGuard guard(device);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    try {
      settle(ncclCommInitRankConfig(&comm_, communicator.size(), id, rank_, &config),
             "ncclCommInitRankConfig", kStartDeadline);
    } catch (...) {
      abandon();
      throw;
    }
  }

  ~NcclGroup() {
    // While an exception unwinds the peers are elsewhere, and an orderly end would wait for them.
    if (std::uncaught_exceptions() > exceptions_at_start_) {
      abandon();
      return;
    }
    try {
      settle(ncclCommFinalize(comm_), "ncclCommFinalize", kEndDeadline);
      ncclCommDestroy(comm_);
    } catch (const CommError&) {
      abandon();
    }
  }
  NcclGroup(const NcclGroup&) = delete;
  NcclGroup& operator=(const NcclGroup&) = delete;
  NcclGroup(NcclGroup&&) = delete;
  NcclGroup& operator=(NcclGroup&&) = delete;

  void all_reduce(const at::Tensor& values, cudaStream_t stream) {
    float* data = values.data_ptr<float>();
    settle(ncclAllReduce(data, data, static_cast<std::size_t>(values.numel()), ncclFloat, ncclSum,
                         comm_, stream),
           "ncclAllReduce", kCallDeadline);
  }

  /// Throws what NCCL noticed since the last call.
  void check() {
    ncclResult_t state = ncclSuccess;
    nccl_check(ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError", rank_, comm_);
    nccl_check(state, "an earlier NCCL call", rank_, comm_);
  }

 private:
  /// Waits on the host until a non-blocking call has been taken in (not until its kernel is done).
  void settle(ncclResult_t result, const char* call, std::chrono::seconds deadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (result == ncclInProgress) {
      require<CommError>(std::chrono::steady_clock::now() < end,
                         "rank " + std::to_string(rank_) + ": " + call + " did not come back in " +
                             std::to_string(deadline.count()) + " s; a peer is gone or stuck");
      std::this_thread::sleep_for(std::chrono::microseconds(20));
      ncclResult_t state = ncclSuccess;
      nccl_check(ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError", rank_, comm_);
      result = state;
    }
    nccl_check(result, call, rank_, comm_);
  }

  void abandon() noexcept {
    if (comm_ != nullptr) {
      ncclCommAbort(comm_);
      comm_ = nullptr;
    }
  }

  ncclComm_t comm_ = nullptr;
  int rank_;
  int exceptions_at_start_;
};

class NcclTransport : public BucketTransport {
 public:
  NcclTransport(Communicator& communicator, at::Device device)
      : group_(communicator, device),
        device_(device),
        stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device.index())) {}

  [[nodiscard]] bool starts_early() const override { return true; }

  // The bucket belongs to the reducer and outlives the stream's work, so the caching allocator need
  // not be told of the second stream.
  void start(const at::Tensor& bucket) override {
    const c10::cuda::CUDAGuard guard(device_);
    filled_.record(c10::cuda::getCurrentCUDAStream(device_.index()));
    filled_.block(stream_);
    group_.all_reduce(bucket, stream_.stream());
  }

  void finish() override {
    const c10::cuda::CUDAGuard guard(device_);
    group_.check();
    summed_.record(stream_);
    summed_.block(c10::cuda::getCurrentCUDAStream(device_.index()));
  }

 private:
  NcclGroup group_;
  at::Device device_;
  c10::cuda::CUDAStream stream_;
  at::cuda::CUDAEvent filled_;
  at::cuda::CUDAEvent summed_;
};

}  // namespace

std::unique_ptr<BucketTransport> make_nccl_transport(Communicator& communicator,
                                                     at::Device device) {
  return std::make_unique<NcclTransport>(communicator, device);
}

}  // namespace hepar

#else

namespace hepar {

std::unique_ptr<BucketTransport> make_nccl_transport(Communicator& /*communicator*/,
                                                     at::Device /*device*/) {
  throw ConfigError(
      "dist.backend: this program was built without NCCL; configure with HEPAR_CUDA=ON, or set "
      "dist.backend to mpi");
}

}  // namespace hepar

#endif
