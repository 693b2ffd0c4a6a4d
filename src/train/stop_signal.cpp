#include "hepar/train/stop_signal.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>

namespace hepar {
namespace {

std::atomic<int> signal_received{0};
static_assert(std::atomic<int>::is_always_lock_free, "set from a signal handler");

// A run of many trainings keeps one of its own alive around theirs: the outermost decides.
int alive = 0;

// The handler's own stack. In oneDNN's convolution backward (AVX2; GEMM with AVX-512) the stack
// pointer points into the heap for a while (oneDNN issue 4845): a handler's frame there corrupts
// the heap or the gradients. Larger than the registers that the system saves (AVX-512: 3 KiB, AMX:
// 11 KiB).
constexpr std::size_t kStackBytes = 65536;
std::array<std::byte, kStackBytes> handler_stack;

/// Of this thread: the main one, which the system gives a process's signals to.
void use_stack(int flags) {
  stack_t stack = {};
  stack.ss_sp = handler_stack.data();
  stack.ss_size = handler_stack.size();
  stack.ss_flags = flags;
  ::sigaltstack(&stack, nullptr);
}

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
  use_stack(0);
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  ::sigaction(SIGUSR2, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

StopSignal::~StopSignal() {
  if (--alive > 0) {
    return;
  }
  std::signal(SIGUSR2, SIG_IGN);  // launchers send it rank by rank: the last may come this late
  std::signal(SIGTERM, SIG_DFL);
  use_stack(SS_DISABLE);
}

bool StopSignal::requested() { return signal_received != 0; }

bool StopSignal::by_usr2() { return signal_received == SIGUSR2; }

}  // namespace hepar
