// How long a checkpoint of nnU-Net's network (31 M weights) with its momentum stops the training
// (the time shown), and when it is durable below TMPDIR (counter durable_ms); each also at its
// worst. OMP_NUM_THREADS says how many threads copy.
//   blocking              the training writes it itself
//   background            the training copies it: all checkpoints but its first
//   background_first      its first: a thread has touched the memory after the first step
//   background_untouched  its first, if nobody had
#include <ATen/Functions.h>
#include <benchmark/benchmark.h>
#include <hepar/nn/unet.h>
#include <hepar/train/checkpoint_writer.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "support/temporary.h"

namespace hepar {
namespace {

using Clock = std::chrono::steady_clock;

/// nnU-Net's for isotropic images, as it is planned for 8 GB.
Checkpoint large_checkpoint() {
  static const auto network =
      make_unet({.in_channels = 1,
                 .classes = 2,
                 .architecture = "plain",
                 .features = {32, 64, 128, 256, 320, 320},
                 .strides = {{1, 1, 1}, {2, 2, 2}, {2, 2, 2}, {2, 2, 2}, {2, 2, 2}, {2, 2, 2}},
                 .kernels = std::vector<std::array<std::int64_t, 3>>(6, {3, 3, 3}),
                 .blocks_per_stage = {2, 2, 2, 2, 2, 2},
                 .convs_per_decoder_level = {2, 2, 2, 2, 2}},
                0);
  Checkpoint checkpoint{
      .step = 1, .weights = weights_of(*network), .optimizer = {}, .state = Json::object()};
  for (const auto& [name, value] : checkpoint.weights) {
    checkpoint.optimizer.emplace_back("momentum." + name, at::rand(value.sizes()));
  }
  return checkpoint;
}

/// Milliseconds, told to Google Benchmark as they come.
class Times {
 public:
  explicit Times(benchmark::State& state) : state_(state) {}
  void add(Clock::duration blocked, Clock::duration durable) {
    const std::chrono::duration<double> blocked_s = blocked, durable_s = durable;
    state_.SetIterationTime(blocked_s.count());
    blocked_s_ = std::max(blocked_s_, blocked_s.count());
    durable_s_ = std::max(durable_s_, durable_s.count());
    total_s_ += durable_s.count();
  }
  ~Times() {
    state_.counters["worst_ms"] = 1e3 * blocked_s_;
    state_.counters["durable_ms"] = 1e3 * total_s_ / static_cast<double>(state_.iterations());
    state_.counters["worst_durable_ms"] = 1e3 * durable_s_;
  }
  Times(const Times&) = delete;
  Times& operator=(const Times&) = delete;
  Times(Times&&) = delete;
  Times& operator=(Times&&) = delete;

 private:
  benchmark::State& state_;
  double blocked_s_ = 0, durable_s_ = 0, total_s_ = 0;
};

/// A run folder, and what is saved there again and again.
struct Run {
  test::TemporaryFolder folder;
  CheckpointStore store{folder.path(), 2};
  Lease lease{folder.path()};
  Checkpoint checkpoint = large_checkpoint();
  CheckpointWriter::Write write = [this](const Checkpoint& c) { store.save(c, lease); };
};

void blocking(benchmark::State& state) {
  Run run;
  Times times(state);
  for (auto _ : state) {
    ++run.checkpoint.step;
    const Clock::time_point start = Clock::now();
    run.store.save(run.checkpoint, run.lease);
    times.add(Clock::now() - start, Clock::now() - start);
  }
}

void save(CheckpointWriter& writer, Run& run, Times& times) {
  ++run.checkpoint.step;
  const Clock::time_point start = Clock::now();
  writer.save(run.checkpoint);
  const Clock::duration blocked = Clock::now() - start;
  writer.wait();
  times.add(blocked, Clock::now() - start);
}

void background(benchmark::State& state) {
  Run run;
  Times times(state);
  CheckpointWriter writer(run.write);
  writer.save(run.checkpoint);
  writer.wait();
  for (auto _ : state) {
    save(writer, run, times);
  }
}

void background_first(benchmark::State& state, bool touched) {
  Run run;
  Times times(state);
  for (auto _ : state) {
    CheckpointWriter writer(run.write);
    if (touched) {
      writer.prepare(run.checkpoint);
      writer.wait();
    }
    save(writer, run, times);
  }
}

benchmark::internal::Benchmark* in_ms(benchmark::internal::Benchmark* measured) {
  return measured->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(10);
}

}  // namespace
}  // namespace hepar

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  hepar::in_ms(benchmark::RegisterBenchmark("blocking", hepar::blocking));
  hepar::in_ms(benchmark::RegisterBenchmark("background", hepar::background));
  hepar::in_ms(benchmark::RegisterBenchmark("background_first", hepar::background_first, true));
  hepar::in_ms(
      benchmark::RegisterBenchmark("background_untouched", hepar::background_first, false));
  benchmark::RunSpecifiedBenchmarks();
}
