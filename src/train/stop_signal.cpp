#include "hepar/train/stop_signal.h"

#include <atomic>
#include <csignal>

namespace hepar {
namespace {

std::atomic<int> signal_received{0};
static_assert(std::atomic<int>::is_always_lock_free, "set from a signal handler");

// A run of many trainings keeps one of its own alive around theirs: the outermost decides.
int alive = 0;

void on_signal(int number) {
  if (signal_received != SIGUSR2) {
    signal_received = number;
  }
}

}  // namespace

StopSignal::StopSignal() {
  if (alive++ > 0) {
    return;
  }
  signal_received = 0;
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
  std::signal(SIGUSR2, SIG_IGN);  // launchers send it rank by rank: the last may come this late
  std::signal(SIGTERM, SIG_DFL);
}

bool StopSignal::requested() { return signal_received != 0; }

bool StopSignal::by_usr2() { return signal_received == SIGUSR2; }

}  // namespace hepar
