#include "hepar/core/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace hepar {

void parallel_for(std::int64_t n, int threads, const std::function<void(std::int64_t)>& body) {
  const auto workers = std::min<std::int64_t>(threads, n);
  if (workers <= 1) {
    for (std::int64_t i = 0; i < n; ++i) {
      body(i);
    }
    return;
  }
  std::atomic<std::int64_t> next{0};
  std::exception_ptr first;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (std::int64_t i = next++; i < n; i = next++) {
        body(i);
      }
    } catch (...) {
      const std::scoped_lock lock(mutex);
      if (!first) {
        first = std::current_exception();
      }
      next = n;  // the others stop at their next item
    }
  };
  {
    std::vector<std::jthread> pool;
    for (std::int64_t t = 1; t < workers; ++t) {
      pool.emplace_back(work);
    }
    work();
  }
  if (first) {
    std::rethrow_exception(first);
  }
}

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) {
    return std::max(1, CPU_COUNT(&set));
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace hepar
