#include <ATen/ATen.h>

#include <span>

#include "bucket_transport.h"

namespace hepar {
namespace {

class MpiTransport : public BucketTransport {
 public:
  explicit MpiTransport(Communicator& communicator) : communicator_(communicator) {}

  // OpenMPI progresses only inside its calls, and they belong to the main thread.
  [[nodiscard]] bool starts_early() const override { return false; }

  void start(const at::Tensor& bucket) override {
    if (bucket.is_cpu()) {
      reduce(bucket);
      return;
    }
    if (!staging_.defined() || staging_.numel() < bucket.numel()) {
      staging_ =
          at::empty(bucket.sizes(), at::TensorOptions().dtype(at::kFloat).pinned_memory(true));
    }
    const at::Tensor host = staging_.narrow(0, 0, bucket.numel());
    host.copy_(bucket);
    reduce(host);
    bucket.copy_(host);
  }

  void finish() override {}

 private:
  void reduce(const at::Tensor& host) {
    communicator_.all_reduce(
        std::span<float>(host.data_ptr<float>(), static_cast<std::size_t>(host.numel())),
        ReduceOp::kSum);
  }

  Communicator& communicator_;
  at::Tensor staging_;
};

}  // namespace

std::unique_ptr<BucketTransport> make_mpi_transport(Communicator& communicator) {
  return std::make_unique<MpiTransport>(communicator);
}

}  // namespace hepar
