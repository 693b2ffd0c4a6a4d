#include "hepar/dist/gradient_reducer.h"

#include <gmock/gmock.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>

#include <functional>

#include "dist/gradients.h"
#include "hepar/core/error.h"

namespace hepar {
namespace {

using test::leaf_gradient;
using test::same_bits;

/// Whether leaf `leaf` has a gradient for `parameter`, by the test's pattern of missing ones.
using Presence = std::function<bool(int leaf, int parameter)>;

bool all_present(int /*leaf*/, int /*parameter*/) { return true; }

/// The sum of leaves [first, first + count) by the definition: halves, left + right.
at::Tensor serial_tree(const at::Tensor& like, int parameter, SlotRange leaves,
                       const Presence& has) {
  if (leaves.count == 1) {
    const int leaf = static_cast<int>(leaves.first);
    return has(leaf, parameter) ? leaf_gradient(like, leaf, parameter) : at::zeros(like.sizes());
  }
  const std::int64_t half = leaves.count / 2;
  return serial_tree(like, parameter, {leaves.first, half}, has) +
         serial_tree(like, parameter, {leaves.first + half, half}, has);
}

void set_leaf(const std::vector<at::Tensor>& parameters, int leaf, const Presence& has) {
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const int index = static_cast<int>(p);
    parameters[p].mutable_grad() =
        has(leaf, index) ? leaf_gradient(parameters[p], leaf, index) : at::Tensor();
  }
}

/// One step of this rank's share of K leaves; `shift` numbers the leaves differently in each step.
void tree_step(GradientReducer& reducer, const std::vector<at::Tensor>& parameters,
               const Communicator& world, std::int64_t shards, const Presence& has, int shift = 0) {
  const std::int64_t mine = shards / world.size();
  for (std::int64_t i = 0; i < mine; ++i) {
    set_leaf(parameters, shift + static_cast<int>(world.rank() * mine + i), has);
    reducer.add_micro_batch();
  }
  reducer.finish();
}

void expect_serial_tree(const std::vector<at::Tensor>& parameters, SlotRange leaves,
                        const Presence& has) {
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const at::Tensor wanted = serial_tree(parameters[p], static_cast<int>(p), leaves, has);
    EXPECT_TRUE(same_bits(parameters[p].grad(), wanted)) << "parameter " << p;
  }
}

class Tree : public ::testing::TestWithParam<int> {};

TEST_P(Tree, HasTheBitsOfTheSerialTree) {
  Communicator world = Communicator::world();
  const auto parameters = test::make_parameters();
  GradientReducer reducer(parameters, world, {.shards = GetParam()});

  tree_step(reducer, parameters, world, GetParam(), all_present);

  expect_serial_tree(parameters, {0, GetParam()}, all_present);
}

TEST_P(Tree, DoesNotRememberTheStepBefore) {
  Communicator world = Communicator::world();
  const auto parameters = test::make_parameters();
  GradientReducer reducer(parameters, world, {.shards = GetParam()});

  tree_step(reducer, parameters, world, GetParam(), all_present);
  const std::uint64_t hash = reducer.collective_hash();
  tree_step(reducer, parameters, world, GetParam(), all_present, 100);

  expect_serial_tree(parameters, {100, GetParam()}, all_present);
  EXPECT_NE(reducer.collective_hash(), hash);
}

TEST_P(Tree, TakesMissingGradientsAsZeros) {
  Communicator world = Communicator::world();
  const auto parameters = test::make_parameters();
  GradientReducer reducer(parameters, world, {.shards = GetParam()});
  const Presence has = [](int leaf, int p) { return p != 3 && (leaf + p) % 3 != 0; };

  tree_step(reducer, parameters, world, GetParam(), has);

  expect_serial_tree(parameters, {0, GetParam()}, has);
  EXPECT_EQ(parameters[3].grad().item<float>(), 0);
}

TEST_P(Tree, SumsVectorsInTheSameOrder) {
  Communicator world = Communicator::world();
  const int mine = GetParam() / world.size();
  const auto part = [](int leaf) {
    const at::Tensor values = leaf_gradient(at::empty({1000}), leaf, 0).to(at::kDouble).div(3);
    return std::vector<double>(values.data_ptr<double>(), values.data_ptr<double>() + 1000);
  };
  const std::function<std::vector<double>(int, int)> serial = [&](int first, int count) {
    if (count == 1) {
      return part(first);
    }
    std::vector<double> left = serial(first, count / 2);
    const std::vector<double> right = serial(first + count / 2, count / 2);
    for (std::size_t i = 0; i < left.size(); ++i) {
      left[i] += right[i];
    }
    return left;
  };
  std::vector<std::vector<double>> parts;
  for (int i = 0; i < mine; ++i) {
    parts.push_back(part(world.rank() * mine + i));
  }

  const auto sum = reduce_in_order(parts, world, {.shards = GetParam()});

  const auto wanted = serial(0, GetParam());
  EXPECT_EQ(std::memcmp(sum.data(), wanted.data(), sum.size() * sizeof(double)), 0);
}

INSTANTIATE_TEST_SUITE_P(Shards, Tree, ::testing::Values(4, 8, 16));

TEST(TreeReducer, RefusesAWrongNumberOfMicroBatches) {
  Communicator world = Communicator::world();
  const auto parameters = test::make_parameters();
  GradientReducer reducer(parameters, world, {.shards = 2 * world.size()});

  reducer.add_micro_batch();
  EXPECT_THROW(reducer.finish(), ShapeError);
  reducer.add_micro_batch();
  EXPECT_THROW(reducer.add_micro_batch(), ShapeError);
}

TEST(Reducer, RefusesRanksWithDifferentParametersOrShards) {
  Communicator world = Communicator::world();
  if (world.size() == 1) {
    GTEST_SKIP() << "needs two ranks";
  }
  auto parameters = test::make_parameters();
  EXPECT_THROW(GradientReducer(parameters, world, {.shards = world.is_root() ? 4 : 8}), CommError);
  if (world.is_root()) {
    parameters.pop_back();
  }
  EXPECT_THROW(GradientReducer(parameters, world, {.shards = 4}), CommError);
}

TEST(Reducer, RefusesWhatItCannotReduce) {
  Communicator self = Communicator::self();
  const ReducerOptions fast{.reduction = Reduction::kFast};
  EXPECT_THROW(GradientReducer({at::zeros({2}, at::kDouble).requires_grad_()}, self, fast),
               ShapeError);
  EXPECT_THROW(GradientReducer({at::zeros({2})}, self, fast), ShapeError);  // nothing to train
  const std::vector<at::Tensor> parameters{at::zeros({2}).requires_grad_()};
  EXPECT_THROW(
      GradientReducer(parameters, self, {.reduction = Reduction::kFast, .backend = "nccl"}),
      ConfigError);
  EXPECT_THROW(
      GradientReducer(parameters, self, {.reduction = Reduction::kFast, .backend = "gloo"}),
      ConfigError);
  EXPECT_THROW(GradientReducer(parameters, self, {.shards = 3}), ConfigError);
}

TEST(Fast, EqualsTheSerialSumForUnequalMicroBatches) {
  Communicator world = Communicator::world();
  const auto parameters = test::make_parameters();
  GradientReducer reducer(parameters, world, {.reduction = Reduction::kFast});
  for (int step = 0; step < 2; ++step) {  // rank r has r + 1 micro-batches
    const int first = world.rank() * (world.rank() + 1) / 2;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      at::Tensor sum = at::zeros(parameters[p].sizes());
      for (int leaf = first; leaf <= first + world.rank(); ++leaf) {
        sum += leaf_gradient(parameters[p], leaf, static_cast<int>(p));
      }
      parameters[p].mutable_grad() = sum;
    }
    reducer.add_micro_batch();

    reducer.finish();

    const int leaves = world.size() * (world.size() + 1) / 2;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      at::Tensor wanted = at::zeros(parameters[p].sizes(), at::kDouble);
      at::Tensor scale = at::ones(parameters[p].sizes(), at::kDouble);
      for (int leaf = 0; leaf < leaves; ++leaf) {
        const at::Tensor g =
            leaf_gradient(parameters[p], leaf, static_cast<int>(p)).to(at::kDouble);
        wanted += g;
        scale += g.abs();
      }
      const at::Tensor error = (parameters[p].grad().to(at::kDouble) - wanted).abs() / scale;
      EXPECT_LT(error.max().item<double>(), 1e-6) << "parameter " << p << ", step " << step;
    }
  }
}

TEST(Fast, TakesMissingGradientsAsZerosOnEveryRank) {
  Communicator world = Communicator::world();
  const auto parameters = test::make_parameters();
  GradientReducer reducer(parameters, world, {.reduction = Reduction::kFast});
  // Parameter 1 has a gradient on the last rank only, parameter 3 nowhere.
  const bool last = world.rank() == world.size() - 1;
  parameters[1].mutable_grad() = last ? at::full({7}, 2.5) : at::Tensor();

  reducer.finish();

  EXPECT_TRUE(at::equal(parameters[1].grad(), at::full({7}, 2.5)));
  EXPECT_EQ(parameters[3].grad().item<float>(), 0);
}

TEST(Fast, SumsVectors) {
  Communicator world = Communicator::world();
  const double r = world.rank() + 1;
  const auto sum = reduce_in_order({{r, 1}, {10 * r, 1}}, world, {.reduction = Reduction::kFast});
  const double ranks = world.size();
  EXPECT_EQ(sum, (std::vector<double>{11 * ranks * (ranks + 1) / 2, 2 * ranks}));
}

TEST(ReduceInOrder, RefusesPartsThatDoNotFit) {
  Communicator self = Communicator::self();
  EXPECT_THROW(reduce_in_order({}, self, {.shards = 1}), ShapeError);
  EXPECT_THROW(reduce_in_order({{1}, {1, 2}}, self, {.shards = 2}), ShapeError);
  EXPECT_THROW(reduce_in_order({{1}, {2}}, self, {.shards = 4}), ShapeError);
}

/// Gradient of the mean squared error of five samples, as the ranks and shards of `options` share
/// them.
std::vector<at::Tensor> trained_gradient(Communicator& group, const ReducerOptions& options) {
  constexpr std::int64_t kBatch = 5;
  torch::manual_seed(3);
  torch::nn::Linear net(6, 2);
  const at::Tensor inputs = at::randn({kBatch, 6});
  const at::Tensor targets = at::randn({kBatch, 2});
  GradientReducer reducer(net->parameters(), group, options);
  for (int step = 0; step < 2; ++step) {
    net->zero_grad();
    for (const SlotRange& slots : micro_batches(kBatch, group.rank(), group.size(), options)) {
      const at::Tensor output = net->forward(inputs.narrow(0, slots.first, slots.count));
      const at::Tensor error = output - targets.narrow(0, slots.first, slots.count);
      reducer.overlap_next_backward();
      (error.square().sum() / static_cast<double>(kBatch)).backward();
      reducer.add_micro_batch();
    }
    reducer.finish();
  }
  return {net->weight.grad().clone(), net->bias.grad().clone()};
}

TEST(Reducer, UnevenRanksGiveTheGradientOfTheGlobalBatch) {
  Communicator world = Communicator::world();
  Communicator self = Communicator::self();
  const auto alone = trained_gradient(self, {.reduction = Reduction::kFast});

  const auto fast = trained_gradient(world, {.reduction = Reduction::kFast});
  const auto tree = trained_gradient(world, {.shards = 4});
  const auto tree_alone = trained_gradient(self, {.shards = 4});

  for (std::size_t p = 0; p < alone.size(); ++p) {
    EXPECT_LT((fast[p] - alone[p]).abs().max().item<double>(), 1e-6);
    EXPECT_LT((tree[p] - alone[p]).abs().max().item<double>(), 1e-6);
    EXPECT_TRUE(same_bits(tree[p], tree_alone[p]));
  }
}

TEST(Reducer, LeavesFrozenParametersAlone) {
  Communicator world = Communicator::world();
  at::Tensor frozen = at::zeros({3});
  at::Tensor trained = at::zeros({3}).requires_grad_();
  GradientReducer reducer({frozen, trained}, world, {.reduction = Reduction::kFast});

  reducer.finish();

  EXPECT_FALSE(frozen.grad().defined());
  EXPECT_TRUE(trained.grad().defined());
}

}  // namespace
}  // namespace hepar
