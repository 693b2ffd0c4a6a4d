#include "hepar/data/patch_loader.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/core/random.h"

namespace hepar {

namespace {

/// The same kind of error with the place in front.
std::exception_ptr with_place(const std::string& place) {
  try {
    throw;
  } catch (const DataError& e) {
    return std::make_exception_ptr(DataError(place + e.what()));
  } catch (const ConfigError& e) {
    return std::make_exception_ptr(ConfigError(place + e.what()));
  } catch (const Error& e) {
    return std::make_exception_ptr(Error(place + e.what(), e.code()));
  } catch (const std::exception& e) {
    return std::make_exception_ptr(Error(place + e.what()));
  }
}

/// A finished patch and the case it is of.
struct Sample {
  Patch patch;
  std::size_t case_index = 0;
};

/// One step in the making: its samples in slot order.
struct PendingStep {
  std::vector<Sample> samples;
  std::vector<std::exception_ptr> errors;
  std::size_t started = 0;
  std::size_t finished = 0;
};

SegmentationBatch stack(std::span<const Sample> samples, bool pinned) {
  const Patch& first = samples.front().patch;
  const auto n = static_cast<std::int64_t>(samples.size());
  const SizeVox size = first.size;
  SegmentationBatch batch{
      at::empty({n, first.channels, size.z, size.y, size.x},
                at::TensorOptions(at::kFloat).pinned_memory(pinned)),
      at::empty({n, size.z, size.y, size.x}, at::TensorOptions(at::kLong).pinned_memory(pinned)),
      {},
  };
  auto* image = batch.image.mutable_data_ptr<float>();
  auto* labels = batch.labels.mutable_data_ptr<std::int64_t>();
  for (const auto& [patch, case_index] : samples) {
    batch.cases.push_back(case_index);
    require<ShapeError>(patch.size == size && patch.image.size() == first.image.size() &&
                            patch.labels.size() == first.labels.size(),
                        "PatchLoader: patches of one micro-batch differ in size");
    image = std::copy(patch.image.begin(), patch.image.end(), image);
    labels = std::copy(patch.labels.begin(), patch.labels.end(), labels);
  }
  return batch;
}

}  // namespace

struct PatchLoader::Impl {
  Impl(CaseList list, PatchRequests patches, Options loader_options)
      : cases(std::move(list)), requests(std::move(patches)), options(std::move(loader_options)) {
    for (const SlotRange& range : options.micro_batches) {
      for (std::int64_t i = 0; i < range.count; ++i) {
        slots.push_back(range.first + i);
      }
    }
    depth = static_cast<std::size_t>(std::max(1, options.prefetch_steps));
    next_step = options.first_step;
  }

  CaseList cases;
  PatchRequests requests;
  Options options;
  std::vector<std::int64_t> slots;  ///< of this rank, in order
  std::size_t depth;

  std::mutex mutex;
  std::condition_variable_any changed;
  std::int64_t next_step;             ///< the step at the front of `pending`
  std::deque<PendingStep> pending;    ///< consecutive steps; references stay valid at both ends
  std::exception_ptr failed;          ///< set once; then nothing more is made
  std::vector<std::jthread> workers;  ///< last: joined before what they use goes

  /// A patch to make: claimed in (step, slot) order.
  struct Work {
    PendingStep* target = nullptr;
    std::size_t index = 0;
    std::int64_t step = 0;
  };

  void run(const std::stop_token& stop);
  bool claim(const std::stop_token& stop, Work& work);
  bool find_unclaimed(Work& work);
  Sample make(std::int64_t step, std::int64_t slot);
};

/// Opens a further step when those under way are all claimed and fewer than `depth`. Caller holds
/// the lock.
bool PatchLoader::Impl::find_unclaimed(Work& work) {
  std::size_t ahead = 0;
  while (ahead < pending.size() && pending[ahead].started == slots.size()) {
    ++ahead;
  }
  if (ahead == depth || failed) {
    return false;
  }
  if (ahead == pending.size()) {
    PendingStep& fresh = pending.emplace_back();
    fresh.samples.resize(slots.size());
    fresh.errors.resize(slots.size());
  }
  PendingStep& target = pending[ahead];
  work = {&target, target.started++, next_step + static_cast<std::int64_t>(ahead)};
  return true;
}

bool PatchLoader::Impl::claim(const std::stop_token& stop, Work& work) {
  std::unique_lock lock(mutex);
  return changed.wait(lock, stop, [&] { return find_unclaimed(work); });
}

Sample PatchLoader::Impl::make(std::int64_t step, std::int64_t slot) {
  std::string place = "step " + std::to_string(step) + ", slot " + std::to_string(slot) + ": ";
  try {
    const PatchRequest request = requests(step, slot);
    place = cases.name(request.case_index) + ", " + place;
    Patch loaded = cases.patch(request.case_index, request.box);
    AugmentTask task = options.task;
    task.size = count(task.size) > 0 ? task.size : loaded.size;
    if (!options.augmentation.enabled) {
      return {centre_crop(loaded, task), request.case_index};
    }
    RandomStream random({options.seed, Purpose::kAugmentation, static_cast<std::uint64_t>(step),
                         static_cast<std::uint32_t>(slot)});
    return {augment(std::move(loaded), task, options.augmentation, random), request.case_index};
  } catch (...) {
    std::rethrow_exception(with_place(place));
  }
}

void PatchLoader::Impl::run(const std::stop_token& stop) {
  Work work;
  while (claim(stop, work)) {
    // The target stays where it is: a step leaves the deque only when all its patches are finished.
    try {
      work.target->samples[work.index] = make(work.step, slots[work.index]);
    } catch (...) {
      work.target->errors[work.index] = std::current_exception();
    }
    {
      const std::scoped_lock lock(mutex);
      ++work.target->finished;
    }
    changed.notify_all();
  }
}

PatchLoader::PatchLoader(CaseList cases, const PatchSampler& sampler, Options options)
    : PatchLoader(
          std::move(cases),
          [&sampler](std::int64_t step, std::int64_t slot) { return sampler.at(step, slot); },
          std::move(options)) {}

PatchLoader::PatchLoader(CaseList cases, PatchRequests requests, Options options)
    : impl_(std::make_unique<Impl>(std::move(cases), std::move(requests), std::move(options))) {
  require<ConfigError>(!impl_->slots.empty(), "PatchLoader: this rank has no slot to load");
  for (int i = 0; i < std::max(1, impl_->options.threads); ++i) {
    impl_->workers.emplace_back(
        [this_impl = impl_.get()](const std::stop_token& stop) { this_impl->run(stop); });
  }
}

PatchLoader::~PatchLoader() {
  // All are asked before the first is waited for.
  for (std::jthread& worker : impl_->workers) {
    worker.request_stop();
  }
}

std::vector<SegmentationBatch> PatchLoader::next() {
  Impl& impl = *impl_;
  PendingStep done;
  {
    std::unique_lock lock(impl.mutex);
    impl.changed.wait(lock, [&] {
      return impl.failed ||
             (!impl.pending.empty() && impl.pending.front().finished == impl.slots.size());
    });
    if (impl.failed) {
      std::rethrow_exception(impl.failed);
    }
    done = std::move(impl.pending.front());
    impl.pending.pop_front();
    ++impl.next_step;
    // The first error in slot order, whichever worker was quicker.
    const auto error = std::find_if(done.errors.begin(), done.errors.end(),
                                    [](const std::exception_ptr& e) { return e != nullptr; });
    impl.failed = error == done.errors.end() ? nullptr : *error;
  }
  impl.changed.notify_all();
  if (impl.failed) {
    std::rethrow_exception(impl.failed);
  }
  std::vector<SegmentationBatch> batches;
  auto first = done.samples.cbegin();
  for (const SlotRange& range : impl.options.micro_batches) {
    const std::int64_t stacked = impl.options.one_by_one ? 1 : range.count;
    for (std::int64_t i = 0; i < range.count; i += stacked) {
      batches.push_back(stack({first, static_cast<std::size_t>(stacked)}, impl.options.pinned));
      first += stacked;
    }
  }
  return batches;
}

}  // namespace hepar
