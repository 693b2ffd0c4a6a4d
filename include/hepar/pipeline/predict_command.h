#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/pipeline/inference_config.h>

#include <string>
#include <vector>

namespace hepar {

struct PredictConfig : InferenceConfig {
  std::vector<std::string>
      model;  ///< model folders or run folders; several: their logits are averaged
  std::vector<std::string>
      ensemble_with;  ///< of a second configuration; the two's probabilities are averaged
  std::string in;     ///< folder of NIfTI files, or a cohort
  std::string out;
  std::vector<std::string> split;     ///< of a cohort; empty: all
  std::vector<std::string> sequence;  ///< of a cohort; empty: the plan's channels
  std::vector<std::string> domain;    ///< of a cohort; empty: all
  bool held_out = false;  ///< each model does the cases its fold kept from it: out-of-fold masks
  bool largest_component = false;
  std::string postprocessing;  ///< postprocessing.json whose steps are taken
  bool save_logits = false;    ///< OUT/logits/CASE.safetensors beside the masks
  bool share_tiles = true;     ///< the last cases are done by all ranks, tile by tile
  void declare(ConfigSchema& schema);
};

/// `hepar predict`: one NIfTI a case on the input's grid, and OUT/lineage.json. Cases are shared by
/// the ranks, those that do not fill a last round tile by tile; the answers are the same for any
/// number of ranks. Cases whose answer is there already are left alone; one that other models gave
/// is refused. Bad cases are all listed in one DataError, the others are still predicted.
/// Collective.
void run_predict_command(const PredictConfig& config, bool dry_run, Communicator& communicator);

}  // namespace hepar
