#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/pipeline/inference_config.h>

#include <string>
#include <vector>

namespace hepar {

struct PseudoLabelConfig : InferenceConfig {
  std::vector<std::string> model;           ///< teachers; several: their logits are averaged
  std::string data;                         ///< the cohort, which is never touched
  std::string out;                          ///< the pseudo-label set
  std::vector<std::string> sequence;        ///< empty: the plan's channels
  std::vector<std::string> split{"train"};  ///< others need allow_transductive
  std::vector<std::string> domain;          ///< empty: all
  bool allow_transductive = false;
  double min_confidence = 0;  ///< masks below it are left out
  double drop_lowest = 0;     ///< share of the masks left out, those of least confidence
  double ignore_below = 0;    ///< voxels whose top class is less probable become `ignore`; 0: none
  bool largest_component = false;
  bool share_tiles = true;
  void declare(ConfigSchema& schema);
};

/// `hepar pseudo-label`: a teacher ensemble's masks for the images of a cohort that have no manual
/// one, each with its confidence (the mean over foreground voxels of the top class's probability).
/// OUT gets labels.json, lineage.json and masks/ on the cohort's canonical grids, for
/// `hepar prepare --pseudo OUT`. Cases are shared by the ranks; work goes to OUT.partial and
/// continues there. Refused: teachers whose classes are not the cohort's, other splits than train
/// without allow_transductive (exit 2), an empty mask that is not left out (exit 3, all named).
/// Collective.
void run_pseudo_label_command(const PseudoLabelConfig& config, bool dry_run,
                              Communicator& communicator);

}  // namespace hepar
