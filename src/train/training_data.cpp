#include "training_data.h"

#include <algorithm>
#include <map>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/hash.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

Plan plan_of(const PreparedSet& set) {
  return parse_plan(set.plan_yaml(), (set.folder() / "plan.yaml").string());
}

/// "background=0, liver=1" without the ignored voxels, of which a set may have none.
std::string classes_of(const PreparedSet& set) {
  std::vector<std::pair<int, std::string>> sorted;
  for (const auto& [name, value] : set.labels()) {
    if (name != "ignore") {
      sorted.emplace_back(value, name);
    }
  }
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> texts;
  for (const auto& [value, name] : sorted) {
    texts.push_back(name + "=" + std::to_string(value));
  }
  return join(texts, ", ");
}

std::string classes_of(const Plan& plan) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < plan.classes.size(); ++i) {
    texts.push_back(plan.classes[i] + "=" + std::to_string(i));
  }
  return join(texts, ", ");
}

}  // namespace

TrainingData::TrainingData(const DataConfig& config, FoldRule rule) : config_(config), rule_(rule) {
  require<ConfigError>(!config.path.empty() && !config.path.front().empty(),
                       "data.path: a prepared set is needed (--set data.path=DIR)");
  const std::size_t cache = PreparedSet::kDefaultCacheBytes / config.path.size();
  std::vector<const PreparedSet*> views;
  for (const std::string& path : config.path) {
    sets_.push_back(std::make_unique<PreparedSet>(path, cache));
    views.push_back(sets_.back().get());
  }
  plan_ = plan_of(*sets_.front());
  check_sets();
  check_images();
  cases_ = std::make_unique<CaseList>(views);
  for (const auto& set : sets_) {
    ignore_label_ =
        set->labels().contains("ignore") ? static_cast<int>(plan_.classes.size()) : ignore_label_;
  }
  fold_ = fold_cases(*cases_, config_, rule_);
}

void TrainingData::check_sets() const {
  const std::string wanted_hash = plan_hash(plan_);
  const std::string wanted_classes = classes_of(plan_);
  std::vector<std::string> problems;
  const auto compare = [&](const PreparedSet& set, const std::string& what,
                           const std::string& wanted, const std::string& found) {
    if (wanted != found) {
      problems.push_back(set.folder().string() + ": " + what + ": wanted " + wanted + ", found " +
                         found + "; prepare it with the target's plan");
    }
  };
  for (const auto& set : sets_) {
    if (set != sets_.front()) {
      compare(*set, "plan", wanted_hash + " of " + sets_.front()->folder().string(),
              plan_hash(plan_of(*set)) == wanted_hash
                  ? wanted_hash + " of " + sets_.front()->folder().string()
                  : plan_hash(plan_of(*set)));
    }
    compare(*set, "classes", wanted_classes, classes_of(*set));
    compare(*set, "channels", std::to_string(sets_.front()->channels()),
            std::to_string(set->channels()));
    const auto ignore = set->labels().find("ignore");
    if (ignore != set->labels().end()) {
      compare(*set, "label 'ignore'", std::to_string(plan_.classes.size()),
              std::to_string(ignore->second));
    }
  }
  require<ConfigError>(problems.empty(), "data.path:\n  " + join(problems, "\n  "));
}

/// One image in two sets would be drawn twice as often, or be trained on in one and held out in the
/// other.
void TrainingData::check_images() const {
  std::map<std::string, std::string> owner;
  std::vector<std::string> problems;
  for (const auto& set : sets_) {
    std::map<std::string, std::string> own;
    for (const PreparedCase& record : set->cases()) {
      const std::string name = set->folder().string() + ": case '" + record.id + "'";
      const auto known = owner.find(record.image_hash);
      if (known != owner.end()) {
        problems.push_back(name + " is the image of " + known->second);
      }
      own.emplace(record.image_hash, name);
    }
    owner.merge(own);
  }
  require<ConfigError>(problems.empty(),
                       "data.path: two sets claim one case:\n  " + join(problems, "\n  "));
}

std::string TrainingData::hash() const {
  if (sets_.size() == 1 && (config_.splits_file.empty() || config_.fold == "all")) {
    return sets_.front()->hash();
  }
  std::string text;
  for (const auto& set : sets_) {
    text += set->hash() + "\n";
  }
  if (!config_.splits_file.empty()) {
    for (const auto* part : {&fold_.training, &fold_.validation}) {
      for (const std::size_t i : *part) {
        text += std::to_string(i) + " ";
      }
      text += "\n";
    }
  }
  return to_hex(xxh64(text));
}

CaseIdentity TrainingData::identity(std::size_t index) const {
  const PreparedCase& record = cases_->record(index);
  return {.cohort = cases_->set(index).source_hash(),
          .case_id = record.case_id,
          .images = {record.source_hashes.begin(), record.source_hashes.end()}};
}

Lineage TrainingData::lineage() const {
  Lineage lineage;
  for (const std::size_t i : fold_.training) {
    lineage.add(identity(i), CaseUse::kImage);
    if (rule_ == FoldRule::kByStage) {
      lineage.add(identity(i), CaseUse::kStage);
    } else if (cases_->record(i).label != "pseudo") {
      lineage.add(identity(i), CaseUse::kMask);
    }
  }
  for (const auto& set : sets_) {
    lineage.merge(read_lineage(set->folder()).value_or(Lineage{}));
  }
  return lineage;
}

std::vector<CaseIdentity> TrainingData::held_out() const {
  std::vector<CaseIdentity> held;
  if (config_.fold != "all") {
    for (const std::size_t i : fold_.validation) {
      held.push_back(identity(i));
    }
  }
  return held;
}

void TrainingData::write_splits() const {
  if (!config_.splits_file.empty() && !fs::exists(config_.splits_file)) {
    write_json(config_.splits_file, splits_of(*cases_, config_, rule_));
  }
}

}  // namespace hepar
