#include <gtest/gtest.h>
#include <hepar/core/random.h>
#include <hepar/train/training_step.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <string>

namespace hepar {
namespace {

using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kClasses = 3;
constexpr SizeVox kPatch{8, 16, 16};

struct Setting {
  const char* name;
  Reduction reduction = Reduction::kFast;
  std::int64_t global_batch = 0;
  bool batch_dice = false;
  bool uneven_labels =
      false;  ///< ignored voxels, another share of them in every sample, and class weights
};

std::string name_of(const testing::TestParamInfo<Setting>& info) {
  const Setting& s = info.param;
  return std::string(s.name) + std::to_string(s.global_batch) +
         (s.batch_dice ? "BatchDice" : "SampleDice") + (s.uneven_labels ? "Uneven" : "Plain");
}

/// Samples [first, first + count) of the global batch: every slot has an image of its own and
/// classes in proportions of its own, so no two ranks have the same denominators.
SegmentationBatch samples(SlotRange slots, bool ignored) {
  const Shape grid{slots.count, kPatch.z, kPatch.y, kPatch.x};
  SegmentationBatch batch{at::empty({grid[0], 2, grid[1], grid[2], grid[3]}),
                          at::empty(grid, at::kLong),
                          {}};
  float* image = batch.image.mutable_data_ptr<float>();
  auto* labels = batch.labels.mutable_data_ptr<std::int64_t>();
  for (std::int64_t slot = slots.first; slot < slots.first + slots.count; ++slot) {
    RandomStream random({.seed = 5,
                         .purpose = Purpose::kTest,
                         .step = static_cast<std::uint64_t>(slot),
                         .slot = 0});
    for (std::int64_t i = 0; i < 2 * count(kPatch); ++i) {
      *image++ = static_cast<float>(random.normal() + 0.1 * static_cast<double>(slot));
    }
    const double foreground = 0.05 + 0.1 * static_cast<double>(slot);
    // Slot 2 has nothing to learn from at all.
    const double hidden = !ignored ? 0 : (slot == 2 ? 1 : 0.1 * static_cast<double>(slot));
    for (std::int64_t i = 0; i < count(kPatch); ++i) {
      const std::int64_t label = random.chance(foreground) ? 1 + random.integer(2) : 0;
      *labels++ = random.chance(hidden) ? -1 : label;
    }
  }
  return batch;
}

std::shared_ptr<SegmentationNetwork> small_network() {
  UNetOptions options;
  options.in_channels = 2;
  options.classes = kClasses;
  options.features = {4, 6, 8, 8};
  options.strides = {{1, 1, 1}, {1, 2, 2}, {2, 2, 2}, {2, 2, 2}};
  options.kernels = {{1, 3, 3}, {3, 3, 3}, {3, 3, 3}, {3, 3, 3}};
  options.blocks_per_stage = {1, 1, 1, 1};
  options.convs_per_decoder_level = {1, 1, 1};
  auto network = make_unet(options, 3);
  network->train();
  return network;
}

SegmentationLoss::Options loss_options(const Setting& setting) {
  SegmentationLoss::Options options;
  options.classes = kClasses;
  options.batch_dice = setting.batch_dice;
  options.level_weights = {2.0 / 3, 1.0 / 3, 0};
  if (setting.uneven_labels) {
    options.config.class_weights = {0.3, 1.0, 2.5};
  }
  return options;
}

/// Dice + cross-entropy of one level by their definitions, on the whole batch at once.
at::Tensor plain_loss(const at::Tensor& logits, const at::Tensor& labels,
                      const SegmentationLoss::Options& options) {
  const at::Tensor counted = labels.ge(0).unsqueeze(1);
  const std::vector<double>& weights = options.config.class_weights;
  const at::Tensor ce = at::cross_entropy_loss(
      logits, labels, weights.empty() ? at::Tensor() : torch::tensor(weights, logits.options()),
      at::Reduction::Mean, -1);
  const at::Tensor p = logits.softmax(1) * counted;
  const at::Tensor g = torch::one_hot(labels.clamp_min(0), kClasses)
                           .permute({0, 4, 1, 2, 3})
                           .mul(counted)
                           .to(logits.scalar_type());
  const Shape axes = options.batch_dice ? Shape{0, 2, 3, 4} : Shape{2, 3, 4};
  const double smooth = options.config.dice_smooth;
  const at::Tensor dice = (2 * (p * g).sum(axes) + smooth) / (p.sum(axes) + g.sum(axes) + smooth);
  return ce - dice.narrow(dice.dim() - 1, 1, kClasses - 1).mean();
}

/// The loss of the whole batch in one process, backpropagated into `network`.
double whole_batch_backward(SegmentationNetwork& network, const Setting& setting) {
  const SegmentationBatch all = samples({0, setting.global_batch}, setting.uneven_labels);
  const std::vector<at::Tensor> logits = network.forward(all.image);
  EXPECT_EQ(logits.size(), 3U);
  EXPECT_EQ(logits[1].sizes().slice(2), (Shape{8, 8, 8}));
  const at::Tensor half = all.labels.slice(2, 1, {}, 2).slice(3, 1, {}, 2);
  const SegmentationLoss::Options options = loss_options(setting);
  const at::Tensor loss = 2.0 / 3 * plain_loss(logits[0].to(at::kDouble), all.labels, options) +
                          1.0 / 3 * plain_loss(logits[1].to(at::kDouble), half, options);
  loss.backward();
  return loss.item<double>();
}

class GlobalGradient : public testing::TestWithParam<Setting> {
 protected:
  GlobalGradient() { at::set_num_threads(1); }
};

TEST_P(GlobalGradient, IsThatOfOneProcessWithTheWholeBatch) {
  const Setting& setting = GetParam();
  const auto alone = small_network();
  const double wanted_loss = whole_batch_backward(*alone, setting);
  const auto shared = small_network();
  Communicator world = Communicator::world();
  const ReducerOptions reduction{.reduction = setting.reduction, .shards = 4};
  GradientReducer reducer(shared->parameters(), world, reduction);
  const SegmentationLoss loss(loss_options(setting));
  std::vector<SegmentationBatch> mine;
  for (const SlotRange& slots :
       micro_batches(setting.global_batch, world.rank(), world.size(), reduction)) {
    mine.push_back(samples(slots, setting.uneven_labels));
  }

  const auto value = backward_global_batch({*shared, loss, reducer, world, reduction}, mine);

  EXPECT_NEAR(value.loss, wanted_loss, 1e-6);
  const auto wanted = alone->named_parameters();
  double whole = 0;
  for (const auto& item : wanted) {
    whole = item.value().grad().defined()
                ? std::hypot(whole, item.value().grad().norm().item<double>())
                : whole;
  }
  ASSERT_GT(whole, 0.01);
  for (const auto& item : shared->named_parameters()) {
    const at::Tensor found = item.value().grad();
    // A layer of weight 0 has no gradient alone, and zeros after a reduction.
    const at::Tensor expected =
        wanted[item.key()].grad().defined() ? wanted[item.key()].grad() : at::zeros_like(found);
    const double error = (found - expected).norm().item<double>();
    // Biases before a normalisation have gradient 0 but for rounding: held against the whole.
    EXPECT_LE(error, 1e-5 * expected.norm().item<double>() + 1e-7 * whole) << item.key();
  }
}

// Batches that 2 and 4 ranks cannot share evenly, and one shard of another size in the tree.
INSTANTIATE_TEST_SUITE_P(Batches, GlobalGradient,
                         testing::Values(Setting{"Fast", Reduction::kFast, 5, true, true},
                                         Setting{"Fast", Reduction::kFast, 7, false, true},
                                         Setting{"Fast", Reduction::kFast, 7, true, false},
                                         Setting{"Tree", Reduction::kTree, 4, true, true},
                                         Setting{"Tree", Reduction::kTree, 4, false, true},
                                         Setting{"Tree", Reduction::kTree, 7, true, true},
                                         Setting{"Tree", Reduction::kTree, 7, false, false}),
                         name_of);

}  // namespace
}  // namespace hepar
