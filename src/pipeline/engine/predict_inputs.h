#pragma once
#include <hepar/image/image.h>
#include <hepar/image/orientation.h>
#include <hepar/pipeline/predict_command.h>
#include <hepar/plan/plan.h>

#include <functional>
#include <string>
#include <vector>

namespace hepar {

/// One image set to predict: how to read its channels, and how the answer is turned before it is
/// written.
struct PredictInput {
  std::string name;  ///< of the output file, without extension
  std::function<std::vector<Image<float>>()> read;
  Reorientation to_output;  ///< identity for NIfTI; back to the source's orientation for a cohort
};

/// What is in `config.in` for a plan: a cohort when it has a manifest.json, else NIfTI files
/// (`case.nii.gz`, or nnU-Net's `case_0000.nii.gz` … for several channels). Sorted by name. Throws
/// DataError.
std::vector<PredictInput> predict_inputs(const PredictConfig& config, const Plan& plan);

}  // namespace hepar
