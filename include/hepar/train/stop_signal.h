#pragma once
#include <string>

namespace hepar {

/// While it lives, SIGUSR2 and SIGTERM mean "agree on a step, save, stop" instead of ending the
/// process. May be nested (main thread only): a request stays until the outermost ends, and SIGUSR2
/// is ignored from then on.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;
  StopSignal(StopSignal&&) = delete;
  StopSignal& operator=(StopSignal&&) = delete;
  [[nodiscard]] static bool requested();
  /// Whether SIGUSR2 asked. SIGTERM is also what launchers send to the ranks of a job in which
  /// another one died.
  [[nodiscard]] static bool by_usr2();
};

}  // namespace hepar
