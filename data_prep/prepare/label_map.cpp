#include "prepare/label_map.h"

#include <algorithm>
#include <optional>

#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

std::optional<int> value_of(const std::map<std::string, int>& labels, const std::string& name,
                            std::size_t number) {
  const auto found = labels.find(name);
  if (found != labels.end()) {
    return found->second;
  }
  const int value = static_cast<int>(number);
  const bool known = std::any_of(labels.begin(), labels.end(),
                                 [&](const auto& label) { return label.second == value; });
  return known && name == "label" + std::to_string(number) ? std::optional(value) : std::nullopt;
}

std::string names_of(const std::map<std::string, int>& labels) {
  std::vector<std::string> names;
  for (const auto& [name, value] : labels) {
    names.push_back(name + "=" + std::to_string(value));
  }
  return names.empty() ? "none" : join(names, ", ");
}

}  // namespace

LabelMap::LabelMap(const std::map<std::string, int>& from, const std::vector<std::string>& classes,
                   const std::string& where) {
  to_.fill(kUndeclared);
  to_[0] = 0;
  for (const auto& [name, value] : from) {
    to_.at(static_cast<std::size_t>(value)) = 0;
  }
  std::vector<std::string> missing;
  for (std::size_t i = 1; i < classes.size(); ++i) {
    const std::optional<int> value = value_of(from, classes[i], i);
    if (!value) {
      missing.push_back("'" + classes[i] + "'");
      continue;
    }
    to_.at(static_cast<std::size_t>(*value)) = static_cast<std::int16_t>(i);
    pairs_[classes[i]] = {*value, static_cast<int>(i)};
  }
  require<DataError>(missing.empty(), where + ": the plan's class " + join(missing, ", ") +
                                          " is not among its labels: " + names_of(from) +
                                          "; its voxels would train as background");
  const auto ignore = from.find("ignore");
  if (ignore != from.end()) {
    to_.at(static_cast<std::size_t>(ignore->second)) = static_cast<std::int16_t>(classes.size());
    pairs_["ignore"] = {ignore->second, static_cast<int>(classes.size())};
  }
}

void LabelMap::apply(LabelImage& labels, const std::string& where) const {
  for (std::int16_t& label : labels.voxels) {
    const bool declared =
        label >= 0 && label < kValues && to_[static_cast<std::size_t>(label)] != kUndeclared;
    if (!declared) {  // no require(): its text would be made for every voxel
      throw DataError(where + ": label " + std::to_string(label) + " is none of the source's");
    }
    label = to_[static_cast<std::size_t>(label)];
  }
}

Json LabelMap::to_json() const {
  Json json = Json::object();
  for (const auto& [name, values] : pairs_) {
    json[name] = values;
  }
  return json;
}

std::map<std::string, int> prepared_labels(const std::vector<std::string>& classes, bool ignore) {
  std::map<std::string, int> labels;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    labels[classes[i]] = static_cast<int>(i);
  }
  if (ignore) {
    labels["ignore"] = static_cast<int>(classes.size());
  }
  return labels;
}

}  // namespace hepar
