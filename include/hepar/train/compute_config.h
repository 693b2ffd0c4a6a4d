#pragma once
#include <hepar/core/config.h>

#include <string>

namespace hepar {

/// The keys `device` and `precision`: where networks run, and in what they compute.
struct ComputeConfig {
  std::string device = "auto";     ///< auto | cpu | cuda
  std::string precision = "auto";  ///< auto | float32 | bf16 | fp16
  void declare(ConfigSchema& schema);
};

}  // namespace hepar
