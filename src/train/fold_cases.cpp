#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/random.h"
#include "hepar/core/text.h"
#include "hepar/train/segmentation_trainer.h"

namespace hepar {
namespace {

// Folds belong to the data, not to a run: another training seed must meet the same ones.
constexpr std::uint64_t kFoldSeed = 12345;

/// (cohort, patient): two sources may use one name for two people.
using Patient = std::pair<std::string, std::string>;

Patient patient_of(const CaseList& cases, std::size_t index) {
  return {cases.set(index).source_hash(), cases.record(index).patient};
}

bool takes(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// A set that does not say (made by hand) counts as manually labelled.
bool is_pseudo(const PreparedCase& record) { return record.label == "pseudo"; }

std::vector<std::size_t> usable_cases(const CaseList& cases, const DataConfig& data) {
  std::vector<std::size_t> usable;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const PreparedCase& record = cases.record(i);
    if (takes(data.splits, record.split) && record.has_labels &&
        takes(data.label, is_pseudo(record) ? "pseudo" : "manual")) {
      usable.push_back(i);
    }
  }
  require<ConfigError>(!usable.empty(), cases.sets().front()->folder().string() +
                                            ": no labelled case in split " +
                                            join(data.splits, ", ") + " with a mask of kind " +
                                            join(data.label, ", "));
  return usable;
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

/// Patients to be dealt evenly, in the order of the folds' hands.
std::vector<Patient> shuffled(const std::set<Patient>& patients, std::uint64_t stratum) {
  const std::vector<Patient> sorted(patients.begin(), patients.end());
  std::vector<std::int64_t> order(sorted.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<std::int64_t>(i);
  }
  RandomStream random({.seed = kFoldSeed, .purpose = Purpose::kFolds, .step = stratum, .slot = 0});
  random.shuffle(order);
  std::vector<Patient> result;
  for (const std::int64_t i : order) {
    result.push_back(sorted[static_cast<std::size_t>(i)]);
  }
  return result;
}

/// Patient -> the fold that holds it out. Manual before pseudo, set by set, domain by domain: each
/// stratum is dealt on where the one before it ended.
std::map<Patient, std::int64_t> deal(const CaseList& cases, const std::vector<std::size_t>& usable,
                                     std::int64_t folds) {
  using Stratum = std::tuple<bool, std::size_t, std::string>;  // pseudo only, set, domain
  std::map<Patient, Stratum> strata;
  for (const std::size_t i : usable) {
    const PreparedCase& record = cases.record(i);
    const Stratum here{is_pseudo(record), cases.set_of(i), record.domain};
    const auto [known, added] = strata.emplace(patient_of(cases, i), here);
    if (!added) {
      known->second = std::min(known->second, here);  // one manual mask makes a manual patient
    }
  }
  std::map<Stratum, std::set<Patient>> members;
  for (const auto& [patient, stratum] : strata) {
    members[stratum].insert(patient);
  }
  std::map<Patient, std::int64_t> fold_of;
  std::int64_t next = 0;
  std::uint64_t number = 0;
  for (const auto& [stratum, patients] : members) {
    for (const Patient& patient : shuffled(patients, number++)) {
      fold_of[patient] = next++ % folds;
    }
  }
  return fold_of;
}

void refuse_empty_part(const FoldCases& cases, const DataConfig& data, std::size_t patients) {
  require<ConfigError>(!cases.training.empty() && !cases.validation.empty(),
                       "data.fold " + data.fold + " of " + std::to_string(data.folds) + ": " +
                           std::to_string(patients) + " labelled patients leave a part empty");
}

FoldCases dealt_fold(const CaseList& cases, const std::vector<std::size_t>& usable,
                     const DataConfig& data) {
  const std::int64_t fold = fold_number(data);
  const std::map<Patient, std::int64_t> fold_of = deal(cases, usable, data.folds);
  FoldCases result;
  for (const std::size_t i : usable) {
    if (fold_of.at(patient_of(cases, i)) != fold) {
      result.training.push_back(i);
    } else if (!is_pseudo(cases.record(i))) {
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

FoldCases fold_cases(const CaseList& cases, const DataConfig& data) {
  const std::vector<std::size_t> usable = usable_cases(cases, data);
  if (data.fold == "all") {
    return {.training = usable, .validation = usable};
  }
  return data.splits_file.empty() || !fs::exists(data.splits_file)
             ? dealt_fold(cases, usable, data)
             : fold_from_file(cases, usable, data);
}

Json splits_of(const CaseList& cases, const DataConfig& data) {
  DataConfig one = data;
  one.splits_file.clear();
  Json splits = Json::array();
  for (std::int64_t fold = 0; fold < data.folds; ++fold) {
    one.fold = std::to_string(fold);
    const FoldCases parts = fold_cases(cases, one);
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
