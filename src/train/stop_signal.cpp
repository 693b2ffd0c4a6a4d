#include "hepar/train/stop_signal.h"

#include <atomic>
#include <csignal>

namespace hepar {
namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

// A run of many trainings keeps one of its own alive around theirs: the outermost decides.
int alive = 0;

void on_signal(int) { stop_requested = true; }

}  // namespace

StopSignal::StopSignal() {
  if (alive++ > 0) {
    return;
  }
  stop_requested = false;
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGUSR2, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

StopSignal::~StopSignal() {
  if (--alive > 0) {
    return;
  }
  std::signal(SIGUSR2, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool StopSignal::requested() { return stop_requested; }

}  // namespace hepar
