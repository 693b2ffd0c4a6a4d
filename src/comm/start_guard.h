#pragma once
#include <condition_variable>
#include <string>
#include <thread>

namespace hepar {

/// Ends this process with exit code 4 unless it is destroyed within 30 s: for the first messages
/// between ranks, which hang where MPI takes a network that the hosts do not share. MPI_Init has
/// seen all ranks by then, over the launcher's connections.
class StartGuard {
 public:
  explicit StartGuard(const std::string& rank);

 private:
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace hepar
