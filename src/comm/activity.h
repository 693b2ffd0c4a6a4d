#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

#include "hepar/comm/communicator.h"
#include "signature.h"

namespace hepar {

/// What the main thread of this rank does with MPI, for its watchdog's thread to read.
class Activity {
 public:
  /// Enters a call; `peer` where it is between two ranks.
  void begin(const Signature& call, int peer = -1);
  void end();
  /// A piece of a message has arrived or left.
  void tick() { ++progress_; }
  [[nodiscard]] CommActivity read() const;

 private:
  mutable std::mutex mutex_;
  Signature call_;
  int peer_ = -1;
  bool inside_ = false;
  std::atomic<std::uint64_t> progress_{0};
};

/// One call, from its begin to its end; false in a group of one, where there is nothing to do.
class [[nodiscard]] Call {
 public:
  Call() = default;
  Call(Activity& activity, const Signature& call, int peer = -1) : activity_(&activity) {
    activity.begin(call, peer);
  }
  ~Call() {
    if (activity_ != nullptr) {
      activity_->end();
    }
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  Call(Call&& other) noexcept : activity_(std::exchange(other.activity_, nullptr)) {}
  Call& operator=(Call&&) = delete;

  explicit operator bool() const { return activity_ != nullptr; }
  void tick() const { activity_->tick(); }

 private:
  Activity* activity_ = nullptr;
};

}  // namespace hepar
