#include "hepar/train/stop_signal.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <thread>
#include <vector>

namespace hepar {
namespace {

/// Sends SIGUSR2 to the thread that made it, many thousand times a second, while it lives.
class ManySignals {
 public:
  ManySignals()
      : thread_([target = ::pthread_self()](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            ::pthread_kill(target, SIGUSR2);
            std::this_thread::sleep_for(std::chrono::microseconds(20));
          }
        }) {}

 private:
  std::jthread thread_;
};

/// What a training computes between two looks at the signal: gradients of x, weight and bias.
std::vector<at::Tensor> gradients() {
  at::manual_seed(1);
  const at::Tensor x = at::randn({2, 8, 16, 16, 16});
  const at::Tensor weight = at::randn({16, 8, 3, 3, 3});
  const std::array<std::int64_t, 3> one{1, 1, 1};
  const at::Tensor y = at::conv3d(x, weight, {}, one, one);
  auto [of_x, of_weight, of_bias] =
      at::convolution_backward(at::cos(y), x, weight, at::IntArrayRef({16}), one, one, one, false,
                               {0, 0, 0}, 1, {true, true, true});
  return {of_x, of_weight, of_bias};
}

TEST(StopSignal, DoesNotTouchWhatTheThreadComputes) {
  const std::vector<at::Tensor> wanted = gradients();
  const StopSignal signals;
  const ManySignals many;
  for (int i = 0; i < 20; ++i) {
    const std::vector<at::Tensor> found = gradients();
    for (std::size_t t = 0; t < found.size(); ++t) {
      ASSERT_TRUE(at::equal(found[t], wanted[t])) << "gradient " << t << ", turn " << i;
    }
  }
  EXPECT_TRUE(StopSignal::requested());
  EXPECT_TRUE(StopSignal::by_usr2());
}

}  // namespace
}  // namespace hepar
