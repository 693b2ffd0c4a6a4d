#include "hepar/train/fold_cases.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "deal.h"
#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

bool takes(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// A set that does not say (made by hand) counts as manually labelled.
bool is_pseudo(const PreparedCase& record) { return record.label == "pseudo"; }

std::vector<std::size_t> usable_cases(const CaseList& cases, const DataConfig& data,
                                      FoldRule rule) {
  std::vector<std::size_t> usable;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const PreparedCase& record = cases.record(i);
    const bool labelled =
        rule == FoldRule::kByStage
            ? record.stage.has_value()
            : record.has_labels && takes(data.label, is_pseudo(record) ? "pseudo" : "manual");
    if (takes(data.splits, record.split) && labelled) {
      usable.push_back(i);
    }
  }
  require<ConfigError>(
      !usable.empty(),
      cases.sets().front()->folder().string() + ": no labelled case in split " +
          join(data.splits, ", ") +
          (rule == FoldRule::kByStage ? " with a stage"
                                      : " with a mask of kind " + join(data.label, ", ")));
  return usable;
}

/// Whether a held-out case is scored.
bool is_validated(const PreparedCase& record, FoldRule rule) {
  return rule == FoldRule::kByStage || !is_pseudo(record);
}

std::set<int> stages_of(const CaseList& cases, const std::vector<std::size_t>& part) {
  std::set<int> stages;
  for (const std::size_t i : part) {
    stages.insert(cases.record(i).stage.value_or(0));
  }
  return stages;
}

void refuse_missing_stage(const CaseList& cases, const FoldCases& fold, const DataConfig& data) {
  std::set<int> all = stages_of(cases, fold.training);
  all.merge(stages_of(cases, fold.validation));
  for (const auto& [part, name] :
       {std::pair{&fold.training, "training"}, std::pair{&fold.validation, "validation"}}) {
    const std::set<int> present = stages_of(cases, *part);
    for (const int stage : all) {
      require<ConfigError>(present.contains(stage),
                           "data.fold " + data.fold + " of " + std::to_string(data.folds) +
                               ": stage S" + std::to_string(stage) + " is absent from its " + name +
                               " part; use fewer folds");
    }
  }
}

std::int64_t fold_number(const DataConfig& data) {
  const bool digits = !data.fold.empty() && data.fold.size() < 10 &&
                      std::all_of(data.fold.begin(), data.fold.end(),
                                  [](unsigned char c) { return std::isdigit(c) != 0; });
  const std::int64_t fold = digits ? std::stoll(data.fold) : -1;
  require<ConfigError>(fold >= 0 && fold < data.folds, "data.fold: wanted all or 0 … " +
                                                           std::to_string(data.folds - 1) +
                                                           ", found '" + data.fold + "'");
  return fold;
}

void refuse_empty_part(const FoldCases& cases, const DataConfig& data, std::size_t patients) {
  require<ConfigError>(!cases.training.empty() && !cases.validation.empty(),
                       "data.fold " + data.fold + " of " + std::to_string(data.folds) + ": " +
                           std::to_string(patients) + " labelled patients leave a part empty");
}

FoldCases dealt_fold(const CaseList& cases, const std::vector<std::size_t>& usable,
                     const DataConfig& data, FoldRule rule) {
  const std::int64_t fold = fold_number(data);
  const std::map<Patient, std::int64_t> fold_of = rule == FoldRule::kByStage
                                                      ? deal_by_stage(cases, usable, data.folds)
                                                      : deal_by_domain(cases, usable, data.folds);
  FoldCases result;
  for (const std::size_t i : usable) {
    if (fold_of.at(patient_of(cases, i)) != fold) {
      result.training.push_back(i);
    } else if (is_validated(cases.record(i), rule)) {
      result.validation.push_back(i);
    }
  }
  refuse_empty_part(result, data, fold_of.size());
  return result;
}

/// One fold of splits_final.json.
struct SplitLists {
  std::set<std::string> train, val;
  [[nodiscard]] bool names(const PreparedCase& record) const {
    return trains(record) || validates(record);
  }
  [[nodiscard]] bool trains(const PreparedCase& record) const {
    return train.contains(record.id) || train.contains(record.case_id);
  }
  [[nodiscard]] bool validates(const PreparedCase& record) const {
    return val.contains(record.id) || val.contains(record.case_id);
  }
};

SplitLists read_split(const DataConfig& data) {
  const Json json = read_json(data.splits_file);
  const std::int64_t fold = fold_number(data);
  require<ConfigError>(json.is_array() && fold < static_cast<std::int64_t>(json.size()),
                       data.splits_file + ": wanted a list with fold " + std::to_string(fold) +
                           ", found " + std::to_string(json.size()) + " folds");
  const Json& entry = json.at(static_cast<std::size_t>(fold));
  const std::string where = data.splits_file + ": fold " + std::to_string(fold);
  const auto train = json_get<std::vector<std::string>>(entry, "train", where);
  const auto val = json_get<std::vector<std::string>>(entry, "val", where);
  return {{train.begin(), train.end()}, {val.begin(), val.end()}};
}

void check_names(const SplitLists& lists, const CaseList& cases, const DataConfig& data) {
  std::map<std::string, std::size_t> known;  // -> its set
  std::vector<std::string> problems;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    for (const std::string& id : {cases.record(i).id, cases.record(i).case_id}) {
      const auto [found, added] = known.emplace(id, cases.set_of(i));
      if (found->second != cases.set_of(i)) {
        problems.push_back("'" + id + "' is in two sets of data.path");
      }
    }
  }
  for (const auto* list : {&lists.train, &lists.val}) {
    for (const std::string& id : *list) {
      if (!known.contains(id)) {
        problems.push_back("'" + id + "' is in no set of data.path");
      } else if (lists.train.contains(id) && lists.val.contains(id) && list == &lists.val) {
        problems.push_back("'" + id + "' is both trained on and held out");
      }
    }
  }
  require<ConfigError>(problems.empty(), data.splits_file + ": " + join(problems, ", "));
}

FoldCases fold_from_file(const CaseList& cases, const std::vector<std::size_t>& usable,
                         const DataConfig& data) {
  const SplitLists lists = read_split(data);
  check_names(lists, cases, data);
  std::set<Patient> held_out;
  std::set<std::size_t> named_sets;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (lists.validates(cases.record(i))) {
      held_out.insert(patient_of(cases, i));
    }
    if (lists.names(cases.record(i))) {
      named_sets.insert(cases.set_of(i));
    }
  }
  FoldCases result;
  std::size_t left_out = 0;
  for (const std::size_t i : usable) {
    const PreparedCase& record = cases.record(i);
    if (lists.validates(record)) {
      result.validation.push_back(i);
      continue;
    }
    const bool held = held_out.contains(patient_of(cases, i));
    require<ConfigError>(!held || !lists.trains(record),
                         data.splits_file + ": fold " + data.fold + ": " + cases.name(i) +
                             " is trained on while patient '" + record.patient +
                             "' is held out; keep a patient's images in one part");
    const bool unnamed = is_pseudo(record) || !named_sets.contains(cases.set_of(i));
    if (lists.trains(record) || (unnamed && !held)) {
      result.training.push_back(i);
    } else {
      ++left_out;
    }
  }
  if (left_out > 0) {
    log::warn(data.splits_file + ": names neither part for " + std::to_string(left_out) +
              " labelled cases; they are left out");
  }
  refuse_empty_part(result, data, usable.size());
  return result;
}

}  // namespace

FoldCases fold_cases(const CaseList& cases, const DataConfig& data, FoldRule rule) {
  const std::vector<std::size_t> usable = usable_cases(cases, data, rule);
  if (data.fold == "all") {
    return {.training = usable, .validation = usable};
  }
  FoldCases fold = data.splits_file.empty() || !fs::exists(data.splits_file)
                       ? dealt_fold(cases, usable, data, rule)
                       : fold_from_file(cases, usable, data);
  if (rule == FoldRule::kByStage) {
    refuse_missing_stage(cases, fold, data);
  }
  return fold;
}

FoldCases inner_parts(const CaseList& cases, const std::vector<std::size_t>& training,
                      double share) {
  const std::map<Patient, std::int64_t> fold_of =
      deal_by_stage(cases, training, std::llround(1 / share));
  FoldCases parts;
  for (const std::size_t i : training) {
    (fold_of.at(patient_of(cases, i)) == 0 ? parts.validation : parts.training).push_back(i);
  }
  require<ConfigError>(!parts.training.empty() && !parts.validation.empty(),
                       "train.early_stopping: " + std::to_string(fold_of.size()) +
                           " training patients are too few to keep some back");
  require<ConfigError>(stages_of(cases, parts.training) == stages_of(cases, training),
                       "train.early_stopping: a stage would be absent from what is trained on; "
                       "lower train.inner_share");
  return parts;
}

Json splits_of(const CaseList& cases, const DataConfig& data, FoldRule rule) {
  DataConfig one = data;
  one.splits_file.clear();
  Json splits = Json::array();
  for (std::int64_t fold = 0; fold < data.folds; ++fold) {
    one.fold = std::to_string(fold);
    const FoldCases parts = fold_cases(cases, one, rule);
    Json entry{{"train", Json::array()}, {"val", Json::array()}};
    for (const std::size_t i : parts.training) {
      entry["train"].push_back(cases.record(i).id);
    }
    for (const std::size_t i : parts.validation) {
      entry["val"].push_back(cases.record(i).id);
    }
    splits.push_back(entry);
  }
  return splits;
}

}  // namespace hepar
