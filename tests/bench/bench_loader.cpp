// bench_loader PREPARED [--benchmark_…]: patches a second, of the size and with the augmentation of
// the plan of a prepared set. `augment` takes patches that are in memory, in this thread; `load` is
// the whole loader with one thread, from the set's files to tensors. peers.py reads its JSON.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "hepar/data/augmentation.h"
#include "hepar/data/case_list.h"
#include "hepar/data/patch_loader.h"
#include "hepar/data/patch_sampler.h"
#include "hepar/io/prepared_set.h"
#include "hepar/plan/plan.h"

namespace hepar::bench {
namespace {

/// A prepared set and what training would draw from it.
class Source {
 public:
  explicit Source(const std::string& folder)
      : set_(folder),
        plan_(parse_plan(set_.plan_yaml(), folder + "/plan.yaml")),
        cut_(loader_patch_size(augmentation_, plan_.patch_size)),
        sampler_(CaseList(set_), labelled(),
                 {.seed = 1,
                  .global_batch = plan_.batch_size,
                  .patch = plan_.patch_size,
                  .loader_patch = cut_,
                  .sampling = {}}) {}

  [[nodiscard]] SizeVox cut() const { return cut_; }
  [[nodiscard]] std::int64_t batch_size() const { return plan_.batch_size; }
  [[nodiscard]] AugmentTask task() const { return {.size = plan_.patch_size}; }
  [[nodiscard]] const AugmentationConfig& augmentation() const { return augmentation_; }

  [[nodiscard]] Patch patch(std::int64_t step) const {
    const PatchRequest request = sampler_.at(step, 0);
    return CaseList(set_).patch(request.case_index, request.box);
  }
  [[nodiscard]] PatchLoader loader() const {
    return {CaseList(set_),
            sampler_,
            {.micro_batches = {{0, plan_.batch_size}},
             .threads = 1,
             .seed = 1,
             .task = task(),
             .augmentation = augmentation_}};
  }

 private:
  [[nodiscard]] std::vector<std::size_t> labelled() const {
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < set_.cases().size(); ++i) {
      if (set_.cases()[i].has_labels) {
        indices.push_back(i);
      }
    }
    return indices;
  }

  AugmentationConfig augmentation_;
  PreparedSet set_;
  Plan plan_;
  SizeVox cut_;
  PatchSampler sampler_;
};

void report(benchmark::State& state, const Source& source, std::int64_t patches) {
  state.SetItemsProcessed(patches);
  for (int axis = 0; axis < 3; ++axis) {
    state.counters[std::string("cut_") + "zyx"[axis]] = static_cast<double>(source.cut()[axis]);
  }
}

void augment_patches(benchmark::State& state, const Source& source) {
  const Patch loaded = source.patch(0);
  std::uint64_t step = 0;
  for ([[maybe_unused]] auto _ : state) {
    state.PauseTiming();
    Patch copy = loaded;
    RandomStream random({.seed = 1, .purpose = Purpose::kAugmentation, .step = step++});
    state.ResumeTiming();
    const Patch done = augment(std::move(copy), source.task(), source.augmentation(), random);
    benchmark::DoNotOptimize(done.image.data());
  }
  report(state, source, state.iterations());
}

void load_batches(benchmark::State& state, const Source& source) {
  PatchLoader loader = source.loader();
  constexpr int kWarm = 5;  // what was made ahead, and chunks that are decoded for the first time
  for (int i = 0; i < kWarm; ++i) {
    loader.next();
  }
  for ([[maybe_unused]] auto _ : state) {
    const std::vector<SegmentationBatch> batches = loader.next();
    benchmark::DoNotOptimize(batches.data());
  }
  report(state, source, state.iterations() * source.batch_size());
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s PREPARED [--benchmark_…]\n", argv[0]);
    return 2;
  }
  const Source source(argv[1]);
  const auto add = [&](const char* name, void (*body)(benchmark::State&, const Source&)) {
    benchmark::RegisterBenchmark(name,
                                 [body, &source](benchmark::State& state) { body(state, source); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  };
  add("augment", augment_patches);
  add("load", load_batches);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace hepar::bench

int main(int argc, char** argv) {
  try {
    return hepar::bench::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
}
