#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/pipeline/inference_config.h>

#include <string>
#include <vector>

namespace hepar {

/// `hepar choose`: which of several trained configurations, or which two together, to predict with.
struct ChooseConfig : InferenceConfig {
  std::vector<std::string> configurations;  ///< NAME=FOLDER[:FOLDER…]: its folds' runs or models,
                                            ///< or folders of such
  std::string in;                           ///< cohort, or folder of NIfTI files
  std::string ref;                          ///< folder of reference masks of the cases kept out
  std::string out;
  std::vector<std::string> split, sequence, domain;  ///< of a cohort; as `predict` has them
  bool ensembles = true;                             ///< pairs compete too
  void declare(ConfigSchema& schema);
};

/// nnU-Net's rule (segmentation.md §1.12): every configuration, and every two with averaged
/// probabilities, predicts the cases its folds kept from it; the highest Dice (mean over labels of
/// the mean over cases) wins, ties go to one alone and to the one named first; then the component
/// rule is fitted on the winner's masks. Writes OUT/masks/NAME, OUT/postprocessing.json and
/// OUT/choice.json: the scores of all, the winner and the command that predicts with it. Two that
/// cannot be averaged are passed over, with the reason. Continues what it left. Collective.
void run_choose_command(const ChooseConfig& config, bool dry_run, Communicator& communicator);

}  // namespace hepar
