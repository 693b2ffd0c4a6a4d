#include "activity.h"

namespace hepar {

void Activity::begin(const Signature& call, int peer) {
  const std::scoped_lock lock(mutex_);
  call_ = call;
  peer_ = peer;
  inside_ = true;
  ++progress_;
}

void Activity::end() {
  const std::scoped_lock lock(mutex_);
  inside_ = false;
  ++progress_;
}

CommActivity Activity::read() const {
  const std::scoped_lock lock(mutex_);
  CommActivity now;
  now.progress = progress_;
  now.sequence = call_.sequence;
  if (inside_) {
    now.call = call_.describe() + (peer_ < 0 ? "" : " with rank " + std::to_string(peer_));
    now.peer = peer_;
  }
  return now;
}

}  // namespace hepar
