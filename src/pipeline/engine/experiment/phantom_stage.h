#pragma once
#include <hepar/core/config.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace hepar::detail {

/// `hepar phantom` as a stage: the keys that an experiment sets.
struct PhantomStageConfig {
  std::string preset = "quick";
  std::string variant = "plain";
  std::string layout = "liqa2024";
  std::string external;  ///< other data sets instead, each in a folder of its name
  std::string sequences = "all";
  /// By domain A, B1, B2, C: train, validation, test, masks among train; empty: the preset's.
  std::array<std::vector<std::int64_t>, 4> patients;
  std::int64_t seed = 1;
  std::int64_t threads = 0;
  std::string out;
  void declare(ConfigSchema& schema);
};

void run_phantom_stage(const PhantomStageConfig& config);

}  // namespace hepar::detail
