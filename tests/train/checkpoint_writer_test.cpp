#include "hepar/train/checkpoint_writer.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "support/temporary.h"
#include "train/numbered_checkpoint.h"

namespace hepar {
namespace {

using test::checkpoint_of;
using test::expect_is_of;

constexpr const char* kFiles[] = {"weights.safetensors", "optimizer.safetensors",
                                  "best.safetensors", "state.json"};

/// Large enough for more than one thread to copy, with weights in two layouts.
Checkpoint large_checkpoint() {
  const at::Tensor numbers = at::arange(2 * 3 * 40 * 50 * 60, at::kFloat).view({2, 3, 40, 50, 60});
  return {.step = 7,
          .weights = {{"rows", numbers.clone().requires_grad_()},
                      {"channels", numbers.contiguous(at::MemoryFormat::ChannelsLast3d)}},
          .optimizer = {{"momentum.rows", numbers * -2}, {"step.rows", at::scalar_tensor(3)}},
          .best = {{"rows", numbers + 1}},
          .state = {{"note", "large"}}};
}

/// Overwrites all its numbers, as the next step would.
void go_on(const Checkpoint& checkpoint) {
  const at::NoGradGuard no_grad;
  for (const NamedTensors* part : {&checkpoint.weights, &checkpoint.optimizer, &checkpoint.best}) {
    for (const auto& [name, tensor] : *part) {
      tensor.fill_(99);
    }
  }
}

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

void wait_until_failed(const CheckpointWriter& writer) {
  for (int i = 0; i < 1000 && !writer.failed(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

class Writer : public testing::Test {
 protected:
  CheckpointWriter::Write to(const CheckpointStore& target) const {
    return [this, &target](const Checkpoint& checkpoint) { target.save(checkpoint, *lease); };
  }

  test::TemporaryFolder folder;
  fs::path run = folder.path() / "run";
  CheckpointStore store{run, 2};
  std::unique_ptr<Lease> lease = std::make_unique<Lease>(run, 5);
};

TEST_F(Writer, WritesTheBitsOfTheMomentWhateverTheNextStepDoes) {
  const CheckpointStore waited_for(folder.path() / "waited", 2);
  const Checkpoint checkpoint = large_checkpoint();
  std::latch next_step_made(1);
  CheckpointWriter writer([&](const Checkpoint& c) {
    next_step_made.wait();
    store.save(c, *lease);
  });
  waited_for.save(checkpoint, *lease);

  writer.save(checkpoint);
  go_on(checkpoint);
  next_step_made.count_down();
  writer.wait();

  for (const char* file : kFiles) {
    EXPECT_EQ(read_bytes(run / "checkpoints/step-0000007" / file),
              read_bytes(folder.path() / "waited/checkpoints/step-0000007" / file))
        << file;
  }
}

TEST_F(Writer, IsDurableWhenWaitReturns) {
  CheckpointWriter writer(to(store));

  for (const std::int64_t step : {10, 15, 20}) {
    writer.save(checkpoint_of(step));
    writer.wait();

    EXPECT_EQ(read_text(run / "checkpoints/latest"), "step-00000" + std::to_string(step) + "\n");
    expect_is_of(store.load_latest().value(), step);
  }
  EXPECT_FALSE(fs::exists(run / "checkpoints/step-0000010"));  // two are kept
  EXPECT_NO_THROW(writer.wait());                              // nothing to wait for
}

TEST_F(Writer, HasAtMostOneWriteInFlightAndKeepsTheirOrder) {
  std::atomic<int> in_flight = 0, most = 0;
  std::vector<std::int64_t> written;
  CheckpointWriter writer([&](const Checkpoint& c) {
    most = std::max<int>(most, ++in_flight);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    expect_is_of(c, c.step);
    written.push_back(c.step);
    --in_flight;
  });

  for (std::int64_t step = 1; step <= 5; ++step) {
    writer.save(checkpoint_of(step));
  }
  writer.wait();

  EXPECT_EQ(most.load(), 1);
  EXPECT_EQ(written, (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
}

TEST_F(Writer, UsesItsMemoryAgain) {
  std::vector<const void*> places;
  CheckpointWriter writer([&](const Checkpoint& c) {
    places.push_back(c.weights[0].second.const_data_ptr());
    expect_is_of(c, c.step);
  });

  writer.prepare(checkpoint_of(1));
  writer.save(checkpoint_of(1));
  writer.save(checkpoint_of(2));
  writer.wait();

  EXPECT_EQ(places.at(0), places.at(1));
}

TEST_F(Writer, FollowsACheckpointThatChangesItsForm) {
  CheckpointWriter writer(to(store));
  writer.save(large_checkpoint());
  Checkpoint other = checkpoint_of(10);
  other.best = {{"a", at::full({1}, 4)}};

  writer.save(other);
  writer.wait();
  expect_is_of(store.load_latest().value(), 10);
  EXPECT_EQ(hash_tensors(store.load_latest()->best), hash_tensors(other.best));
  writer.save(checkpoint_of(20));
  writer.wait();

  expect_is_of(store.load_latest().value(), 20);
  EXPECT_TRUE(store.load_latest()->best.empty());
}

TEST_F(Writer, ThrowsTheErrorOfAWriteOnceAndThenWritesAgain) {
  std::ofstream(run / "checkpoints").close();  // no folder can be made
  const std::string wanted = message_of([&] { store.save(checkpoint_of(5), *lease); });
  CheckpointWriter writer(to(store));

  writer.save(checkpoint_of(5));
  wait_until_failed(writer);

  EXPECT_TRUE(writer.failed());
  EXPECT_EQ(message_of([&] { writer.wait(); }), wanted);
  EXPECT_NE(wanted, "");
  EXPECT_FALSE(writer.failed());
  EXPECT_NO_THROW(writer.wait());
  writer.save(checkpoint_of(6));
  EXPECT_THROW(writer.save(checkpoint_of(7)), DataError);  // the one before was lost
  fs::remove(run / "checkpoints");
  writer.save(checkpoint_of(8));
  EXPECT_NO_THROW(writer.wait());
  expect_is_of(store.load_latest().value(), 8);
}

TEST_F(Writer, ThatWasFencedLeavesNothing) {
  CheckpointWriter writer(to(store));
  writer.save(checkpoint_of(5));
  writer.wait();
  std::ofstream(run / "lease/2.json").close();  // a successor

  writer.save(checkpoint_of(10));
  wait_until_failed(writer);

  EXPECT_TRUE(writer.failed());
  EXPECT_THROW(writer.wait(), CommError);
  EXPECT_FALSE(fs::exists(run / "checkpoints/step-0000010"));
  EXPECT_EQ(read_text(run / "checkpoints/latest"), "step-0000005\n");
}

TEST_F(Writer, EndsItsWriteWhenTheTrainingFails) {
  try {
    CheckpointWriter writer([&](const Checkpoint& c) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      store.save(c, *lease);
    });
    writer.save(checkpoint_of(5));
    throw std::runtime_error("a step went wrong");
  } catch (const std::runtime_error&) {
  }

  expect_is_of(store.load_latest().value(), 5);
}

TEST_F(Writer, ThatNobodyWaitedForDoesNotThrowAtItsEnd) {
  CheckpointWriter writer([](const Checkpoint&) { throw DataError("the disk is full"); });

  writer.save(checkpoint_of(5));
}

}  // namespace
}  // namespace hepar
