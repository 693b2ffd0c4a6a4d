#pragma once
#include <cstdint>
#include <functional>

namespace hepar {

/// Calls body(i) for i in [0, n) from up to `threads` threads (the caller's included), each index
/// once, in no promised order. The first exception is rethrown in the caller after all threads have
/// stopped. threads <= 1 runs in the caller, in order.
void parallel_for(std::int64_t n, int threads, const std::function<void(std::int64_t)>& body);

/// Processors this process may use (its affinity mask), at least 1.
int usable_processors();

}  // namespace hepar
