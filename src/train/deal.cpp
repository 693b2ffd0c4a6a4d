#include "deal.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "hepar/core/error.h"
#include "hepar/core/random.h"

namespace hepar {
namespace {

// Folds belong to the data, not to a run: another training seed must meet the same ones.
constexpr std::uint64_t kFoldSeed = 12345;

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

}  // namespace

Patient patient_of(const CaseList& cases, std::size_t index) {
  return {cases.set(index).source_hash(), cases.record(index).patient};
}

std::map<Patient, std::int64_t> deal_by_domain(const CaseList& cases,
                                               const std::vector<std::size_t>& usable,
                                               std::int64_t folds) {
  using Stratum = std::tuple<bool, std::size_t, std::string>;  // pseudo only, set, domain
  std::map<Patient, Stratum> strata;
  for (const std::size_t i : usable) {
    const PreparedCase& record = cases.record(i);
    const Stratum here{record.label == "pseudo", cases.set_of(i), record.domain};
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

namespace {

using StageCell = std::pair<int, std::string>;  // stage, domain

std::map<StageCell, std::set<Patient>> stage_cells(const CaseList& cases,
                                                   const std::vector<std::size_t>& usable) {
  std::map<Patient, StageCell> cell_of;
  for (const std::size_t i : usable) {
    const PreparedCase& record = cases.record(i);
    const int stage = record.stage.value_or(0);
    const auto [known, added] =
        cell_of.emplace(patient_of(cases, i), StageCell{stage, record.domain});
    require<DataError>(known->second.first == stage,
                       cases.name(i) + ": stage S" + std::to_string(stage) +
                           ", another image of patient '" + record.patient + "' has S" +
                           std::to_string(known->second.first));
  }
  std::map<StageCell, std::set<Patient>> cells;
  for (const auto& [patient, cell] : cell_of) {
    cells[cell].insert(patient);
  }
  return cells;
}

}  // namespace

std::map<Patient, std::int64_t> deal_by_stage(const CaseList& cases,
                                              const std::vector<std::size_t>& usable,
                                              std::int64_t folds) {
  std::map<Patient, std::int64_t> fold_of;
  std::map<int, std::vector<std::int64_t>> of_stage;  // -> patients of each fold
  std::vector<std::int64_t> of_all(static_cast<std::size_t>(folds));
  std::uint64_t number = 0;
  for (const auto& [cell, patients] : stage_cells(cases, usable)) {
    std::vector<std::int64_t>& here = of_stage[cell.first];
    here.resize(static_cast<std::size_t>(folds));
    const auto poorer = [&](std::int64_t a, std::int64_t b) {
      const auto i = static_cast<std::size_t>(a);
      const auto j = static_cast<std::size_t>(b);
      return std::tuple(here[i], of_all[i], a) < std::tuple(here[j], of_all[j], b);
    };
    std::vector<std::int64_t> hands;  // a round: every fold once, the poorest first
    for (const Patient& patient : shuffled(patients, number++)) {
      if (hands.empty()) {
        for (std::int64_t fold = 0; fold < folds; ++fold) {
          hands.push_back(fold);
        }
        std::sort(hands.begin(), hands.end(), poorer);
      }
      const std::int64_t fold = hands.front();
      hands.erase(hands.begin());
      fold_of[patient] = fold;
      ++here[static_cast<std::size_t>(fold)];
      ++of_all[static_cast<std::size_t>(fold)];
    }
  }
  return fold_of;
}

}  // namespace hepar
