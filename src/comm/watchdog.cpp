#include "hepar/comm/watchdog.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "lookout.h"
#include "rank_record.h"

namespace hepar {
namespace {

constexpr int kLooks = 6;  ///< in silence_s

Lookout::Options lookout_options(const Communicator& group, const Watchdog::Options& options) {
  const double look_s = options.silence_s / kLooks;
  // The first rank of a host speaks; its end is the others' end.
  const int turn = group.local_rank() > 0 ? 1 : 0;
  const int deadline = static_cast<int>(std::ceil(options.deadline_s / look_s));
  return {.self = group.rank(),
          .look_s = look_s,
          .silence = kLooks + turn,
          .deadline = std::max(deadline, kLooks) + turn};
}

[[noreturn]] void leave(const std::string& text) {
  log::error(text);
  std::fflush(nullptr);
  ::_exit(static_cast<int>(ExitCode::kCommunication));
}

}  // namespace

struct Watchdog::Impl {
  Impl(const Communicator& watched, const fs::path& records, const Options& options)
      : group(watched),
        folder(records),
        look_s(options.silence_s / kLooks),
        lookout(lookout_options(watched, options), watched.size()) {}

  RankRecord own_record() {
    const CommActivity now = group.activity();
    const std::scoped_lock lock(mutex);
    return {.rank = group.rank(),
            .host = group.host(),
            .beat = beat,
            .progress = now.progress + phases,
            .sequence = now.sequence,
            .call = now.call,
            .peer = now.peer,
            .phase = phase};
  }

  /// Writes this rank's record; the others' are read while it does not move.
  void look() {
    ++beat;
    const RankRecord own = own_record();
    if (write_record(folder, own, beat == 1) == warned) {
      warned = !warned;
      if (warned) {
        log::warn(record_path(folder, own.rank).string() +
                  ": cannot be written; a hang of this rank would not be told from its work");
      }
    }
    if (lookout.moved(own)) {
      return;
    }
    std::vector<std::optional<RankRecord>> records;
    for (int rank = 0; rank < group.size(); ++rank) {
      records.push_back(rank == own.rank ? own : read_record(folder, rank));
    }
    const Lookout::Verdict verdict = lookout.look(records);
    if (verdict.end) {
      leave(folder.string() + ": " + verdict.text);
    } else if (!verdict.text.empty()) {
      log::warn(verdict.text);
    }
  }

  void watch(const std::stop_token& stop) {
    std::mutex pause;
    std::unique_lock lock(pause);
    const std::chrono::duration<double> interval(look_s);
    while (!wake.wait_for(lock, stop, interval, [&] { return stop.stop_requested(); })) {
      look();
    }
  }

  const Communicator& group;
  fs::path folder;
  double look_s;
  Lookout lookout;
  std::int64_t beat = 0;
  bool warned = false;
  std::mutex mutex;  ///< of the phase
  std::string phase = "starting";
  std::uint64_t phases = 0;
  std::condition_variable_any wake;
  std::jthread thread;
};

Watchdog::Watchdog(const Communicator& communicator, const fs::path& folder,
                   const Options& options) {
  if (communicator.size() == 1) {
    return;
  }
  std::error_code ignored;  // the first record tells
  fs::create_directories(folder, ignored);
  impl_ = std::make_unique<Impl>(communicator, folder, options);
  impl_->look();  // the first record is there before this rank meets another
  impl_->thread =
      std::jthread([impl = impl_.get()](const std::stop_token& stop) { impl->watch(stop); });
}

Watchdog::~Watchdog() {
  if (impl_ == nullptr) {
    return;
  }
  impl_->thread = {};  // asks it to stop, and waits
  std::error_code ignored;
  fs::remove(record_path(impl_->folder, impl_->group.rank()), ignored);
  fs::remove(impl_->folder, ignored);  // succeeds for the last rank
}

void Watchdog::enter(const std::string& phase) {
  if (impl_ != nullptr) {
    const std::scoped_lock lock(impl_->mutex);
    impl_->phase = phase;
    ++impl_->phases;
  }
}

}  // namespace hepar
