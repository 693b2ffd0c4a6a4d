#pragma once
#include <hepar/train/model_folder.h>

#include <string>
#include <vector>

#include "predict_inputs.h"

namespace hepar {

/// The cases that one ensemble answers.
struct PredictGroup {
  std::vector<Model> models;
  std::vector<Model> second;       ///< of another configuration; empty: there is none
  std::vector<std::size_t> cases;  ///< of the inputs
};

/// What a command was given; the folders are for messages.
struct PredictModels {
  std::vector<std::string> folders, second_folders;
  std::vector<Model> models, second;
};

/// All models answer all cases; with `held_out` each case is answered by the one model (of each
/// configuration) whose fold kept it, and cases that none kept are left out. Throws ConfigError: a
/// model that kept no case, a case that two kept, one that only one configuration kept.
std::vector<PredictGroup> make_predict_groups(PredictModels given,
                                              const std::vector<PredictInput>& inputs,
                                              bool held_out);

}  // namespace hepar
