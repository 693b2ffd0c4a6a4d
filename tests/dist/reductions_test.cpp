// The parts behind GradientReducer that need no second rank: memory of the tree, buckets, hooks.
#include <gmock/gmock.h>
#include <torch/nn/modules/linear.h>

#include "../../src/dist/fast_reduction.h"
#include "../../src/dist/tree_reduction.h"
#include "dist/gradients.h"
#include "hepar/core/error.h"

namespace hepar {
namespace {

using ::testing::ElementsAre;

TEST(TreeReduction, HoldsAtMostLog2OfKSets) {
  Communicator self = Communicator::self();
  const std::vector<at::Tensor> parameters{at::zeros({5}).requires_grad_()};
  TreeReduction tree(parameters, self, 16);
  for (int step = 0; step < 3; ++step) {
    for (int leaf = 0; leaf < 16; ++leaf) {
      parameters[0].mutable_grad() = at::full({5}, static_cast<double>(leaf));
      tree.add_micro_batch();
      EXPECT_FALSE(parameters[0].grad().defined());
    }
    tree.finish();
    EXPECT_EQ(parameters[0].grad()[0].item<float>(), 120);
  }
  EXPECT_LE(tree.sets(), 4U);
}

TEST(TreeReduction, TakesGradientsThatWereZeroedInPlace) {
  Communicator self = Communicator::self();
  const std::vector<at::Tensor> parameters{at::zeros({5}).requires_grad_()};
  TreeReduction tree(parameters, self, 2);
  for (int step = 0; step < 3; ++step) {
    if (parameters[0].grad().defined()) {
      parameters[0].mutable_grad().zero_();
      parameters[0].mutable_grad().add_(1);
    } else {
      parameters[0].mutable_grad() = at::ones({5});
    }
    tree.add_micro_batch();
    parameters[0].mutable_grad() = at::full({5}, 2.0);
    tree.add_micro_batch();
    tree.finish();
    EXPECT_EQ(parameters[0].grad()[4].item<float>(), 3);
  }
}

TEST(PlanBuckets, GoBackwardsWithASmallFirstOne) {
  constexpr std::int64_t kMiB = (std::int64_t{1} << 20) / 4;  // in floats
  const std::vector<at::Tensor> parameters{
      at::empty({30 * kMiB}), at::empty({20 * kMiB}), at::empty({5 * kMiB}),
      at::empty({kMiB / 2}),  at::empty({kMiB / 2}),
  };
  EXPECT_THAT(plan_buckets(parameters),
              ElementsAre(ElementsAre(4, 3), ElementsAre(2, 1), ElementsAre(0)));
}

/// Doubles each bucket, as a second rank with equal gradients would, and notes when it was started.
class FakeTransport : public BucketTransport {
 public:
  struct Log {
    std::vector<std::int64_t> sizes;
    bool finished = false;
  };
  FakeTransport(Log& log, bool early) : log_(log), early_(early) {}
  [[nodiscard]] bool starts_early() const override { return early_; }
  void start(const at::Tensor& bucket) override {
    bucket.mul_(2);
    log_.sizes.push_back(bucket.numel());
  }
  void finish() override { log_.finished = true; }

 private:
  Log& log_;
  bool early_;
};

/// Three parameters in three buckets: the last one is used first.
struct Net {
  at::Tensor a = at::full({1 << 18}, 0.5).requires_grad_();
  at::Tensor b = at::full({1 << 23}, 0.5).requires_grad_();
  at::Tensor c = at::full({1 << 18}, 0.5).requires_grad_();
  [[nodiscard]] std::vector<at::Tensor> parameters() const { return {a, b, c}; }
  [[nodiscard]] at::Tensor loss(bool use_b) const {
    const at::Tensor first = (a * 3).sum();
    return (use_b ? first + (b * 2).sum() : first) + (c * 5).sum();
  }
};

TEST(FastReduction, StartsBucketsInOrderWhileBackwardRuns) {
  Net net;
  FakeTransport::Log log;
  FastReduction fast(net.parameters(), std::make_unique<FakeTransport>(log, true));
  const std::vector<std::int64_t> order{1 << 18, 1 << 23, 1 << 18};

  net.loss(true).backward();
  fast.add_micro_batch();
  EXPECT_TRUE(log.sizes.empty());  // not announced as the last one
  fast.overlap_next_backward();
  net.loss(true).backward();
  EXPECT_EQ(log.sizes, order);  // all of them before finish()
  fast.finish();

  EXPECT_EQ(log.sizes, order);
  EXPECT_TRUE(log.finished);
  EXPECT_EQ(net.a.grad()[0].item<float>(), 12);  // two micro-batches, two ranks
  EXPECT_EQ(net.b.grad()[0].item<float>(), 8);
  EXPECT_EQ(net.c.grad()[0].item<float>(), 20);
}

TEST(FastReduction, HoldsLaterBucketsBackBehindAMissingGradient) {
  Net net;
  FakeTransport::Log log;
  FastReduction fast(net.parameters(), std::make_unique<FakeTransport>(log, true));
  for (int step = 0; step < 2; ++step) {
    log.sizes.clear();
    fast.overlap_next_backward();
    for (const at::Tensor& p : net.parameters()) {
      p.mutable_grad() = at::Tensor();
    }
    net.loss(false).backward();
    EXPECT_EQ(log.sizes.size(), 1U);  // c; a waits for b, which never comes
    fast.finish();

    EXPECT_EQ(log.sizes.size(), 3U);
    EXPECT_EQ(net.a.grad()[0].item<float>(), 6);
    EXPECT_EQ(net.b.grad()[0].item<float>(), 0);
    EXPECT_EQ(net.c.grad()[0].item<float>(), 10);
  }
}

TEST(FastReduction, RefusesASecondBackwardBehindTheLast) {
  Net net;
  FakeTransport::Log log;
  FastReduction fast(net.parameters(), std::make_unique<FakeTransport>(log, true));

  fast.overlap_next_backward();
  net.loss(true).backward();
  EXPECT_THROW(net.loss(true).backward(), Error);
}

TEST(FastReduction, RemovesItsHooksAndRefusesTwoOwners) {
  Net net;
  FakeTransport::Log log;
  {
    FastReduction fast(net.parameters(), std::make_unique<FakeTransport>(log, true));
    EXPECT_THROW(FastReduction(net.parameters(), std::make_unique<FakeTransport>(log, true)),
                 Error);
    fast.overlap_next_backward();
  }
  net.loss(true).backward();  // would call into freed memory
  EXPECT_TRUE(log.sizes.empty());
}

TEST(FastReduction, WaitsForFinishWhereTheTransportBlocks) {
  Net net;
  FakeTransport::Log log;
  FastReduction fast(net.parameters(), std::make_unique<FakeTransport>(log, false));

  fast.overlap_next_backward();
  net.loss(true).backward();
  EXPECT_TRUE(log.sizes.empty());
  fast.finish();

  EXPECT_EQ(log.sizes.size(), 3U);
  EXPECT_EQ(net.c.grad()[0].item<float>(), 10);
}

}  // namespace
}  // namespace hepar
