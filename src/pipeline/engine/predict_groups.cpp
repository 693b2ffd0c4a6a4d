#include "predict_groups.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "hepar/core/error.h"

namespace hepar {
namespace {

/// For each input the model that kept it, if any did.
using Owners = std::vector<std::optional<std::size_t>>;

Owners owners_of(const std::vector<Model>& models, const std::vector<std::string>& folders,
                 const std::vector<PredictInput>& inputs) {
  Owners owners(inputs.size());
  for (std::size_t m = 0; m < models.size(); ++m) {
    bool any = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!contains(models[m].held_out, inputs[i].identity)) {
        continue;
      }
      require<ConfigError>(!owners[i], "held_out: case " + inputs[i].name +
                                           " is held out by two of the models; give one a fold");
      owners[i] = m;
      any = true;
    }
    require<ConfigError>(any, "held_out: " + folders[m] +
                                  " held out no case of the input; it was trained with "
                                  "data.fold=all or on another cohort");
  }
  return owners;
}

}  // namespace

std::vector<PredictGroup> make_predict_groups(PredictModels given,
                                              const std::vector<PredictInput>& inputs,
                                              bool held_out) {
  if (!held_out) {
    PredictGroup all{std::move(given.models), std::move(given.second), {}};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      all.cases.push_back(i);
    }
    return {std::move(all)};
  }
  const Owners first = owners_of(given.models, given.folders, inputs);
  const bool two = !given.second.empty();
  const Owners other = two ? owners_of(given.second, given.second_folders, inputs) : first;
  std::map<std::pair<std::size_t, std::size_t>, PredictGroup> groups;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    require<ConfigError>(
        first[i].has_value() == other[i].has_value(),
        "held_out: case " + inputs[i].name + " is held out by one of the two configurations only");
    if (!first[i]) {
      continue;
    }
    PredictGroup& group = groups[{*first[i], *other[i]}];
    if (group.cases.empty()) {
      group.models = {given.models[*first[i]]};
      group.second = two ? std::vector<Model>{given.second[*other[i]]} : std::vector<Model>{};
    }
    group.cases.push_back(i);
  }
  std::vector<PredictGroup> list;
  for (auto& entry : groups) {
    list.push_back(std::move(entry.second));
  }
  return list;
}

}  // namespace hepar
