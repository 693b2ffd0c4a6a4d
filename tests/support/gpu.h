#pragma once
#include <ATen/Context.h>
#include <gtest/gtest.h>

/// Skips a test where there is no GPU; ctest knows the text.
#define HEPAR_NEEDS_GPU()          \
  if (!at::hasCUDA()) {            \
    GTEST_SKIP() << "no GPU here"; \
  }                                \
  static_assert(true, "wants a semicolon")
