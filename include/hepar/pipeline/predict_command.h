#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/core/config.h>
#include <string>
#include <vector>

namespace hepar {

struct PredictConfig {
  std::vector<std::string>
      model;       ///< model folders or run folders; several: their logits are averaged
  std::string in;  ///< folder of NIfTI files, or a cohort
  std::string out;
  std::vector<std::string> split;     ///< of a cohort; empty: all
  std::vector<std::string> sequence;  ///< of a cohort; empty: the plan's channels
  double step = 0.5;
  bool mirror = true;
  bool largest_component = false;
  std::int64_t tile_batch = 1;
  std::int64_t threads = 0;
  void declare(ConfigSchema& schema);
};

/// `hepar predict`: one NIfTI a case on the input's grid, cases shared by the ranks; cases whose
/// answer is there already are left alone. Bad cases are all listed in one DataError, the others
/// are still predicted. Collective.
void run_predict_command(const PredictConfig& config, bool dry_run, Communicator& communicator);

}  // namespace hepar
