#pragma once
#include <hepar/image/image.h>
#include <hepar/image/orientation.h>
#include <hepar/io/lineage.h>
#include <hepar/plan/plan.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace hepar {

/// The channels of one image set, and what says whose they are.
struct ReadImages {
  std::vector<Image<float>> channels;
  std::set<std::string> hashes;  ///< of the canonical stored voxels
};

/// One image set to predict: how to read its channels, and how the answer is turned before it is
/// written.
struct PredictInput {
  std::string name;       ///< of the output file, without extension
  std::string sequence;   ///< of a cohort: its first channel
  CaseIdentity identity;  ///< images are known before reading for a cohort only
  std::function<ReadImages()> read;
  Reorientation to_output;  ///< identity for NIfTI; back to the source's orientation for a cohort
};

/// Which images are wanted; lists that are empty take all.
struct InputQuery {
  std::string in;                     ///< folder of NIfTI files, or a cohort
  std::vector<std::string> split;     ///< of a cohort, as are the following
  std::vector<std::string> sequence;  ///< empty: the plan's channels
  std::vector<std::string> domain;
  bool unlabelled = false;  ///< only images without a manual mask
};

/// What is in query.in for a plan: a cohort when it has a manifest.json, else NIfTI files
/// (`case.nii.gz`, or nnU-Net's `case_0000.nii.gz` … for several channels). Sorted by name. Throws
/// DataError.
std::vector<PredictInput> predict_inputs(const InputQuery& query, const Plan& plan);

}  // namespace hepar
