#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/pipeline/inference_config.h>
#include <hepar/train/predictor.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "predict_inputs.h"

namespace hepar {

/// What the keys say on this rank; Torch gets the same number of threads. Throws ConfigError.
PredictOptions predict_options(const InferenceConfig& config, const Communicator& communicator);

/// Run or model folders. Throws ConfigError when they cannot be averaged: other classes, spacing,
/// normalisation, transpose or orientation.
std::vector<Model> load_models(const std::vector<std::string>& folders, const Compute& compute);

/// What keeps two configurations from being averaged ("classes", …); empty when nothing does. Their
/// spacing, normalisation and network may differ.
std::string ensemble_difference(const Model& first, const Model& second);

/// The same for a second configuration, whose probabilities are averaged with those of `first`.
std::vector<Model> load_second_models(const std::vector<std::string>& folders, const Model& first,
                                      const Compute& compute);

/// The inputs that are not `done`, in order. Rank 0 looks: all ranks must deal the same list.
/// Collective.
std::vector<std::size_t> missing_cases(const std::vector<PredictInput>& inputs,
                                       const std::function<bool(const PredictInput&)>& done,
                                       Communicator& communicator);

/// What is done to many cases by all ranks.
struct CaseRun {
  std::string title;  ///< of the progress bar
  const std::vector<PredictInput>& inputs;
  const std::vector<Model>& models;
  const std::vector<Model>* second = nullptr;  ///< of another configuration
  PredictOptions options;
  bool with_confidence = false;
  /// The cases that do not fill a last round are done by all ranks at once, tile by tile.
  bool share_tiles = true;
  /// Keeps one answer; called on one rank, from a background thread.
  std::function<void(const PredictInput&, const Prediction&)> keep;
  /// Gets the logits before they are exported, one tensor a configuration; may be empty. Called
  /// before `keep`.
  std::function<void(const PredictInput&, const std::vector<at::Tensor>&)> keep_logits = {};
};

/// What the ranks say of a run; equal on all of them.
struct CaseRunOutcome {
  std::vector<std::string> problems;                    ///< "case A: …", by case
  std::map<std::string, std::set<std::string>> hashes;  ///< of the images of each case read
};

/// Cases inputs[i] for i in `todo`, dealt to the ranks. While one is in the network the next is
/// read and prepared and the one before is written. The answers do not depend on the number of
/// ranks. Collective.
CaseRunOutcome run_cases(const CaseRun& run, const std::vector<std::size_t>& todo,
                         Communicator& communicator);

}  // namespace hepar
