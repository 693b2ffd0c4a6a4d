#include "hepar/pipeline/cost_keys.h"

#include <algorithm>
#include <array>
#include <set>

#include "experiment/stage_settings.h"
#include "hepar/core/hash.h"

namespace hepar {
namespace {

constexpr std::array<const char*, 8> kCostless{
    "seed", "data.fold", "train.steps", "train.stop_after", "init.continue_from", "train.log_every",
    "out",  "device"};

bool is_costless(const std::string& key) {
  return key.starts_with("optimizer.") ||
         std::find(kCostless.begin(), kCostless.end(), key) != kCostless.end();
}

bool is_of_network(const std::string& key) { return key == "task" || key.starts_with("backbone."); }

class Keys {
 public:
  explicit Keys(const Experiment& experiment) {
    for (const Trial& trial : experiment.trials) {  // each after those it reads
      trials_[trial.id] = &trial;
      keys_[trial.id] = keys_of(trial);
      made_[trial.id] = digest(trial);
    }
  }
  std::map<std::string, CostKeys> take() { return std::move(keys_); }

 private:
  CostKeys keys_of(const Trial& trial) const {
    CostKeys keys;
    for (const auto& [key, value] : trial.config.items()) {
      if (!is_costless(key)) {
        const bool of_network = trial.command == "train" && is_of_network(key);
        (of_network ? keys.network : keys.others)[key] = text_of(value);
      }
    }
    if (trial.command == "train") {
      add_size(trial, keys);
    }
    return keys;
  }

  /// A segmentation network is as its plan says; a staging network sees volumes of interest.
  void add_size(const Trial& trial, CostKeys& keys) const {
    const auto task = keys.network.find("task");
    const bool staging = task != keys.network.end() && task->second == "\"staging\"";
    const Trial* source = upstream(trial, staging ? "voi" : "plan");
    if (source != nullptr) {
      for (const auto& [key, value] : source->config.items()) {
        keys.network[source->command + "." + key] =
            detail::replace_tokens(value, [](const std::string&) {
              return std::string("…");
            }).dump();
      }
    }
  }

  /// The nearest trial of a command on the way to what `trial` reads, by `data.path` first.
  const Trial* upstream(const Trial& trial, const std::string& command) const {
    for (const std::string& id : trial.inputs) {
      const Trial* input = trials_.at(id);
      const Trial* found = input->command == command   ? input
                           : input->command == "train" ? nullptr
                                                       : upstream(*input, command);
      if (found != nullptr) {
        return found;
      }
    }
    return nullptr;
  }

  std::string text_of(const Json& value) const {
    return detail::replace_tokens(value, [&](const std::string& id) { return made_.at(id); })
        .dump();
  }

  std::string digest(const Trial& trial) const {
    const CostKeys& keys = keys_.at(trial.id);
    const Json text{trial.command, keys.network, keys.others};
    return to_hex(xxh64(text.dump()));
  }

  std::map<std::string, const Trial*> trials_;
  std::map<std::string, CostKeys> keys_;
  std::map<std::string, std::string> made_;  ///< how a trial's output was made
};

}  // namespace

std::map<std::string, CostKeys> cost_keys(const Experiment& experiment) {
  return Keys(experiment).take();
}

std::vector<std::string> differences(const CostKeys& a, const CostKeys& b) {
  std::set<std::string> names;
  const auto compare = [&](const CostKeys& one, const CostKeys& other) {
    for (const auto& [key, value] : one.others) {
      const auto found = other.others.find(key);
      if (found == other.others.end() || found->second != value) {
        names.insert(key);
      }
    }
  };
  compare(a, b);
  compare(b, a);
  return {names.begin(), names.end()};
}

}  // namespace hepar
