#pragma once
#include <hepar/pipeline/experiment.h>

#include <map>
#include <string>
#include <vector>

namespace hepar {

/// The settings of a trial that its cost may depend on. Seeds, folds, learning rates and numbers of
/// steps are not among them. What it reads stands for itself by what made it.
struct CostKeys {
  /// Task and size of a training's network, which come from its own keys and from the plan or the
  /// volumes of interest it reads: a training that differs here says nothing.
  std::map<std::string, std::string> network;
  std::map<std::string, std::string> others;
  bool operator==(const CostKeys&) const = default;
};

/// By trial id, for every trial of an experiment.
std::map<std::string, CostKeys> cost_keys(const Experiment& experiment);

/// Names of `others` in which two trials differ, sorted.
std::vector<std::string> differences(const CostKeys& a, const CostKeys& b);

}  // namespace hepar
