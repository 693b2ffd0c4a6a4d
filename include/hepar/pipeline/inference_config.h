#pragma once
#include <hepar/core/config.h>
#include <hepar/train/compute_config.h>

#include <cstdint>
#include <string>

namespace hepar {

/// How networks are applied to images: the keys that predict, pseudo-label, voi and choose share.
struct InferenceConfig {
  double step = 0.5;  ///< of the patch
  bool mirror = true;
  ComputeConfig compute;
  std::int64_t tile_batch = 1;
  std::int64_t threads = 0;  ///< of a rank; 0: its share of the host
  void declare_inference(ConfigSchema& schema);
};

}  // namespace hepar
