#include <hepar/comm/communicator.h>

#include "../../src/dist/bucket_transport.h"
#include "dist/gradients.h"
#include "hepar/dist/gradient_reducer.h"
#include "support/gpu.h"

namespace hepar {
namespace {

using test::leaf_gradient;
using test::make_parameters;
using test::same_bits;

std::vector<at::Tensor> parameters_on(at::Device device) {
  std::vector<at::Tensor> parameters;
  for (const at::Tensor& p : make_parameters()) {
    parameters.push_back(p.detach().to(device).requires_grad_());
  }
  return parameters;
}

/// Gradients of the global batch, reduced on `device`.
std::vector<at::Tensor> reduced_on(at::Device device, const ReducerOptions& options) {
  Communicator world = Communicator::world();
  const auto parameters = parameters_on(device);
  GradientReducer reducer(parameters, world, options);
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    parameters[p].mutable_grad() =
        leaf_gradient(parameters[p], world.rank(), static_cast<int>(p)).to(device);
  }
  reducer.add_micro_batch();
  reducer.finish();
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& p : parameters) {
    gradients.push_back(p.grad().cpu());
  }
  return gradients;
}

void expect_the_bits_of_the_cpu(const ReducerOptions& options) {
  const auto found = reduced_on(at::kCUDA, options);
  const auto wanted = reduced_on(at::kCPU, options);
  for (std::size_t p = 0; p < found.size(); ++p) {
    EXPECT_TRUE(same_bits(found[p], wanted[p])) << "parameter " << p;
  }
}

// Ranks that share a GPU.
TEST(OnGpu, MpiSumsThroughPinnedMemory) {
  HEPAR_NEEDS_GPU();
  expect_the_bits_of_the_cpu({.reduction = Reduction::kFast, .shards = 1, .backend = "mpi"});
}

TEST(OnGpu, TheTreeHasTheBitsOfTheCpu) {
  HEPAR_NEEDS_GPU();
  const std::int64_t ranks = Communicator::world().size();
  expect_the_bits_of_the_cpu({.reduction = Reduction::kTree, .shards = ranks, .backend = "auto"});
}

TEST(OnGpu, NcclSumsWhatOneRankHas) {
  HEPAR_NEEDS_GPU();
  Communicator world = Communicator::world();
  if (world.size() > 1) {
    GTEST_SKIP() << "NCCL takes one rank a GPU";
  }
  const at::Tensor values = leaf_gradient(at::empty({300'000}), 1, 1);
  const at::Tensor bucket = values.to(at::kCUDA);

  const auto transport = make_nccl_transport(world, bucket.device());
  transport->start(bucket);
  transport->finish();

  EXPECT_TRUE(same_bits(bucket.cpu(), values));
  EXPECT_TRUE(transport->starts_early());
}

}  // namespace
}  // namespace hepar
