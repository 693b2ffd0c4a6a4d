#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/pipeline/inference_config.h>
#include <hepar/pipeline/voi.h>

#include <string>
#include <vector>

namespace hepar {

struct VoiConfig : InferenceConfig {
  std::vector<std::string> model;  ///< segmenters; several: their logits are averaged
  std::string data;                ///< the cohort
  std::string out;                 ///< the set of volumes
  std::string truth;  ///< folder CASE/SEQUENCE.nii.gz of true masks: measured against, never used
  std::vector<std::string> sequence;  ///< empty: all that the cohort has
  std::vector<std::string> split;     ///< empty: all
  std::vector<std::string> domain;    ///< empty: all
  VoiRule rule;
  void declare(ConfigSchema& schema);
};

/// `hepar voi`: the liver's volume of interest in every sequence of a cohort (PROTOCOL §4). Each
/// sequence is sampled at cubic voxels and segmented; the box of its mask, standardised, becomes a
/// sample of a prepared set OUT whose labels are the mask (label kind `pseudo`; `none` where it was
/// carried over or is missing), with lineage.json and audit.csv: what was used for whom, and, where
/// a true mask exists, its DSC and the share of it that the box holds. Work goes to OUT.partial and
/// continues there; the result does not depend on the number of ranks. Collective.
void run_voi_command(const VoiConfig& config, bool dry_run, Communicator& communicator);

}  // namespace hepar
