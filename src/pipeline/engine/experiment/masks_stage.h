#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/core/config.h>
#include <hepar/core/error.h>

#include <string>
#include <vector>

namespace hepar::detail {

/// Reference masks of a cohort as files that `evaluate` pairs with predictions: CASE.nii.gz on the
/// grid of the source's image.
struct MasksStageConfig {
  std::string data;                ///< cohort
  std::string sequence;            ///< whose masks
  std::vector<std::string> split;  ///< empty: all
  std::string out;
  void declare(ConfigSchema& schema);
};

/// Collective. Throws AgreedError when no case has such a mask.
ExitCode run_masks_stage(MasksStageConfig& config, Communicator& group);

}  // namespace hepar::detail
