#include "hepar/train/checkpoint.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/train/checkpoint_writer.h"
#include "support/temporary.h"
#include "train/numbered_checkpoint.h"
#include "train/process.h"

namespace hepar {
namespace {

using test::checkpoint_of;
using test::expect_is_of;

class Checkpoints : public testing::Test {
 protected:
  /// Names in OUT/checkpoints.
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(store_folder)) {
      found.insert(entry.path().filename().string());
    }
    return found;
  }
  void save(std::initializer_list<std::int64_t> steps) const {
    for (const std::int64_t step : steps) {
      store.save(checkpoint_of(step), *lease);
    }
  }
  void expect_latest(std::int64_t step) const {
    const std::optional<Checkpoint> found = store.load_latest();
    ASSERT_TRUE(found.has_value());
    expect_is_of(*found, step);
  }

  test::TemporaryFolder folder;
  fs::path run = folder.path() / "run";
  fs::path store_folder = run / "checkpoints";
  CheckpointStore store{run, 2};
  std::unique_ptr<Lease> lease = std::make_unique<Lease>(run, 5);
};

TEST_F(Checkpoints, NoneIsNoError) { EXPECT_FALSE(store.load_latest().has_value()); }

TEST_F(Checkpoints, KeepsTheLastOnesAndPointsAtTheNewest) {
  save({5, 10, 15});

  EXPECT_EQ(names(), (std::set<std::string>{"step-0000010", "step-0000015", "latest"}));
  EXPECT_EQ(read_text(store_folder / "latest"), "step-0000015\n");
  expect_latest(15);
}

TEST_F(Checkpoints, TheStateNamesTheHashesOfBothFiles) {
  save({5});

  const Json state = read_json(store_folder / "step-0000005/state.json");
  for (const std::string part : {"weights", "optimizer"}) {
    const fs::path file = store_folder / "step-0000005" / (part + ".safetensors");
    EXPECT_EQ(state.at(part + "_xxh64"), to_hex(xxh64_of_file(file.string())));
  }
  EXPECT_EQ(state.at("step"), 5);
}

TEST_F(Checkpoints, AStepSavedAgainReplacesItself) {
  save({5, 10});
  Checkpoint again = checkpoint_of(10);
  again.state["note"] = "second time";

  store.save(again, *lease);

  EXPECT_EQ(names(), (std::set<std::string>{"step-0000005", "step-0000010", "latest"}));
  EXPECT_EQ(store.load_latest()->state.at("note"), "second time");
}

TEST_F(Checkpoints, ADamagedFileMeansTheCheckpointBefore) {
  for (const char* file : {"weights.safetensors", "optimizer.safetensors", "state.json"}) {
    SCOPED_TRACE(file);
    save({5, 10});
    const fs::path path = store_folder / "step-0000010" / file;
    const std::vector<std::byte> intact = read_bytes(path);

    std::vector<std::byte> bytes = intact;
    bytes[bytes.size() / 2] ^= std::byte{0x10};
    write_atomically(path, std::span<const std::byte>(bytes));
    expect_latest(5);
    fs::resize_file(path, 0);
    expect_latest(5);
    fs::remove(path);
    expect_latest(5);

    write_atomically(path, std::span<const std::byte>(intact));
    expect_latest(10);
  }
}

TEST_F(Checkpoints, NothingIsUsedWhenAllAreDamaged) {
  save({5, 10});
  fs::remove(store_folder / "step-0000005/weights.safetensors");
  fs::resize_file(store_folder / "step-0000010/optimizer.safetensors", 10);

  EXPECT_FALSE(store.load_latest().has_value());
}

TEST_F(Checkpoints, WhatAKilledWriterLeftIsNotUsedAndGoes) {
  save({5});
  fs::copy(store_folder / "step-0000005", store_folder / ".tmp-step-0000010");
  expect_latest(5);

  save({15});

  EXPECT_EQ(names(), (std::set<std::string>{"step-0000005", "step-0000015", "latest"}));
}

TEST_F(Checkpoints, AFencedWriterLeavesNothing) {
  save({5});
  std::ofstream(run / "lease/2.json").close();  // a successor

  EXPECT_THROW(save({10}), CommError);

  EXPECT_FALSE(fs::exists(store_folder / "step-0000010"));
  EXPECT_EQ(read_text(store_folder / "latest"), "step-0000005\n");
  expect_latest(5);
}

TEST_F(Checkpoints, AFolderThatCannotBeMadeIsAnError) {
  std::ofstream(store_folder).close();

  EXPECT_THROW(save({5}), DataError);
}

// Whenever the writer dies, what is there under a final name is whole.
TEST_F(Checkpoints, AKillAtAnyMomentLeavesWholeOnes) {
  const auto start = std::chrono::steady_clock::now();
  save({1, 2, 3});
  const auto one_save = (std::chrono::steady_clock::now() - start) / 3;
  std::int64_t last = 3;
  for (int round = 0; round < 100 && (round < 12 || last < 5); ++round) {
    test::Process writer([&](test::Process& self) {
      CheckpointWriter behind([this](const Checkpoint& c) { store.save(c, *lease); });
      self.tell();
      for (std::int64_t step = last + 1;; ++step) {
        behind.save(checkpoint_of(step));
      }
      return 0;
    });
    writer.wait_ready();
    std::this_thread::sleep_for(one_save * (round + 1) / 4);
    writer.send(SIGKILL);
    ASSERT_EQ(writer.join(), -SIGKILL);

    const std::optional<Checkpoint> found = store.load_latest();

    ASSERT_TRUE(found.has_value());
    ASSERT_GE(found->step, last);
    expect_is_of(*found, found->step);
    for (const std::string& name : names()) {
      const bool under_final_name = name.starts_with("step-");
      for (const char* file : {"weights.safetensors", "optimizer.safetensors", "state.json"}) {
        EXPECT_TRUE(!under_final_name || fs::exists(store_folder / name / file)) << name;
      }
    }
    last = found->step;
  }
  EXPECT_GE(last, 5);  // some were written at all
}

}  // namespace
}  // namespace hepar
