#pragma once
#include <functional>
#include <string>

namespace hepar::bench {

/// Where the time of some work goes: seconds in each of ATen's operators and backward nodes that no
/// other one called. The rest is code between operators, among it the forward passes of functions
/// of our own.
class OperatorTimes {
 public:
  void measure(const std::function<void()>& work);
  /// Shares of all that was measured, largest first, convolutions together; nothing when nothing
  /// was.
  void print(const std::string& what) const;

 private:
  double seconds_ = 0;
};

}  // namespace hepar::bench
