#include "hepar/train/device.h"

#include <ATen/Context.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "hepar/core/error.h"

namespace hepar {
namespace {

/// The settings are the process's: each test starts without them.
class Determinism : public testing::Test {
 protected:
  void SetUp() override { reset(); }
  void TearDown() override { reset(); }
  static void reset() {
    set_determinism(false, at::kCUDA);
    at::globalContext().setBenchmarkCuDNN(false);
    ::unsetenv("CUBLAS_WORKSPACE_CONFIG");
    ::unsetenv("NCCL_ALGO");
  }
};

TEST_F(Determinism, OfAGpuIsAskedOfTorchAndTheLibrariesBelow) {
  set_determinism(true, at::kCUDA);

  EXPECT_TRUE(at::globalContext().deterministicAlgorithms());
  EXPECT_TRUE(at::globalContext().deterministicCuDNN());
  EXPECT_FALSE(at::globalContext().benchmarkCuDNN());
  EXPECT_STREQ(std::getenv("CUBLAS_WORKSPACE_CONFIG"), ":4096:8");
  EXPECT_STREQ(std::getenv("NCCL_ALGO"), "Ring");
}

TEST_F(Determinism, WithoutItCudnnMayMeasure) {
  set_determinism(false, at::kCUDA);

  EXPECT_FALSE(at::globalContext().deterministicAlgorithms());
  EXPECT_TRUE(at::globalContext().benchmarkCuDNN());
  EXPECT_EQ(std::getenv("NCCL_ALGO"), nullptr);
}

TEST_F(Determinism, RefusesAnEnvironmentThatSaysOtherwise) {
  ::setenv("NCCL_ALGO", "Tree", 1);
  try {
    set_determinism(true, at::kCUDA);
    FAIL() << "was accepted";
  } catch (const ConfigError& e) {
    EXPECT_NE(std::string(e.what()).find("NCCL_ALGO=Ring or unset, found 'Tree'"),
              std::string::npos)
        << e.what();
  }
}

TEST_F(Determinism, OfAGpuIsRefusedForNetworksThatPool) {
  check_pooling(true, at::kCUDA, "");
  check_pooling(false, at::kCUDA, "max");
  check_pooling(true, at::kCPU, "max");
  EXPECT_THROW(check_pooling(true, at::kCUDA, "average"), ConfigError);
}

TEST_F(Determinism, OfACpuNeedsNothing) {
  set_determinism(true, at::kCPU);

  EXPECT_FALSE(at::globalContext().deterministicAlgorithms());
  EXPECT_EQ(std::getenv("NCCL_ALGO"), nullptr);
}

}  // namespace
}  // namespace hepar
