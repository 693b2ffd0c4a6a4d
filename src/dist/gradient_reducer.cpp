#include "hepar/dist/gradient_reducer.h"

#include <ATen/ATen.h>

#include <array>
#include <string>
#include <utility>

#include "bucket_transport.h"
#include "fast_reduction.h"
#include "flat_gradients.h"
#include "hepar/core/error.h"
#include "reduction_strategy.h"
#include "shard_rules.h"
#include "tree_reduction.h"

namespace hepar {
namespace {

std::vector<at::Tensor> trained(const std::vector<at::Tensor>& parameters) {
  std::vector<at::Tensor> kept;
  for (const at::Tensor& p : parameters) {
    if (!p.defined() || p.requires_grad()) {  // undefined ones are reported by check_parameters
      kept.push_back(p);
    }
  }
  check_parameters(kept);
  return kept;
}

/// Lengths and options that differ between ranks would deadlock or, worse, add the wrong numbers.
void check_same_everywhere(const std::vector<at::Tensor>& parameters, Communicator& communicator,
                           const ReducerOptions& options) {
  std::uint64_t shapes = 0;
  for (const at::Tensor& p : parameters) {
    for (const std::int64_t n : p.sizes()) {
      shapes = mix_hash(shapes, static_cast<std::uint64_t>(n));
    }
  }
  const auto half = static_cast<std::int64_t>(shapes >> 1);
  const auto count = static_cast<std::int64_t>(parameters.size());
  const std::int64_t rule = options.reduction == Reduction::kTree ? options.shards : -1;
  std::array<std::int64_t, 6> extremes{half, -half, count, -count, rule, -rule};
  communicator.all_reduce(extremes, ReduceOp::kMax);
  for (std::size_t i = 0; i < extremes.size(); i += 2) {
    require<CommError>(extremes[i] == -extremes[i + 1],
                       "gradient reducer: the ranks have different parameters or different dist.* "
                       "settings; start all of them with one configuration");
  }
}

std::unique_ptr<BucketTransport> make_transport(const std::string& backend, at::Device device,
                                                Communicator& communicator) {
  require<ConfigError>(backend == "auto" || backend == "mpi" || backend == "nccl",
                       "dist.backend: wanted auto | mpi | nccl, found '" + backend + "'");
  require<ConfigError>(
      backend != "nccl" || device.is_cuda(),
      "dist.backend: nccl needs parameters on a GPU, found " + device.str() + "; use auto or mpi");
  if (communicator.size() == 1) {
    return nullptr;
  }
  if (backend == "nccl" || (backend == "auto" && device.is_cuda())) {
    return make_nccl_transport(communicator, device);
  }
  return make_mpi_transport(communicator);
}

}  // namespace

struct GradientReducer::Impl {
  std::unique_ptr<ReductionStrategy> strategy;
};

GradientReducer::GradientReducer(std::vector<at::Tensor> parameters, Communicator& communicator,
                                 const ReducerOptions& options)
    : impl_(std::make_unique<Impl>()) {
  parameters = trained(parameters);
  check_same_everywhere(parameters, communicator, options);
  const at::Device device = parameters[0].device();
  if (options.reduction == Reduction::kTree) {
    check_tree_ranks(communicator.size(), options.shards);
    impl_->strategy =
        std::make_unique<TreeReduction>(std::move(parameters), communicator, options.shards);
    return;
  }
  impl_->strategy = std::make_unique<FastReduction>(
      std::move(parameters), make_transport(options.backend, device, communicator));
}

GradientReducer::~GradientReducer() = default;

void GradientReducer::overlap_next_backward() { impl_->strategy->overlap_next_backward(); }
void GradientReducer::add_micro_batch() { impl_->strategy->add_micro_batch(); }
void GradientReducer::finish() { impl_->strategy->finish(); }
std::uint64_t GradientReducer::collective_hash() const {
  return impl_->strategy->collective_hash();
}

}  // namespace hepar
