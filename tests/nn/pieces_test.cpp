#include "../../src/nn/pieces.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>

namespace hepar::nn {
namespace {

/// at::parallel_for is a plain loop in a program that is compiled without OpenMP.
TEST(Pieces, AreSharedByTorchsThreads) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "built without OpenMP for the thread sanitizer";
#endif
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  const Pieces pieces{2, 100, 10};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::set<std::int64_t> seen;

  pieces.for_each([&](std::int64_t index, const Piece&) {
    const std::scoped_lock lock(mutex);
    threads.insert(std::this_thread::get_id());
    seen.insert(index);
  });
  at::set_num_threads(before);

  EXPECT_EQ(threads.size(), 2U);
  EXPECT_EQ(seen.size(), 20U);
}

}  // namespace
}  // namespace hepar::nn
