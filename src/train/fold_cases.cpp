#include <algorithm>
#include <set>

#include "hepar/core/error.h"
#include "hepar/core/random.h"
#include "hepar/core/text.h"
#include "hepar/train/segmentation_trainer.h"

namespace hepar {
namespace {

// Folds belong to the data, not to a run: another training seed must meet the same ones.
constexpr std::uint64_t kFoldSeed = 12345;

std::vector<std::string> shuffled_patients(const PreparedSet& set,
                                           const std::vector<std::size_t>& cases) {
  std::set<std::string> unique;
  for (const std::size_t i : cases) {
    unique.insert(set.cases()[i].patient);
  }
  const std::vector<std::string> sorted(unique.begin(), unique.end());
  std::vector<std::int64_t> order(sorted.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<std::int64_t>(i);
  }
  RandomStream random({.seed = kFoldSeed, .purpose = Purpose::kFolds, .step = 0, .slot = 0});
  random.shuffle(order);
  std::vector<std::string> patients;
  for (const std::int64_t i : order) {
    patients.push_back(sorted[static_cast<std::size_t>(i)]);
  }
  return patients;
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

}  // namespace

FoldCases fold_cases(const PreparedSet& set, const DataConfig& data) {
  std::vector<std::size_t> usable;
  for (std::size_t i = 0; i < set.cases().size(); ++i) {
    const PreparedCase& record = set.cases()[i];
    const bool wanted =
        std::find(data.splits.begin(), data.splits.end(), record.split) != data.splits.end();
    if (wanted && record.has_labels) {
      usable.push_back(i);
    }
  }
  require<ConfigError>(!usable.empty(), set.folder().string() + ": no labelled case in split " +
                                            join(data.splits, ", "));
  if (data.fold == "all") {
    return {.training = usable, .validation = usable};
  }
  const std::int64_t fold = fold_number(data);
  const std::vector<std::string> patients = shuffled_patients(set, usable);
  std::set<std::string> held_out;
  for (std::size_t i = static_cast<std::size_t>(fold); i < patients.size();
       i += static_cast<std::size_t>(data.folds)) {
    held_out.insert(patients[i]);
  }
  FoldCases cases;
  for (const std::size_t i : usable) {
    (held_out.contains(set.cases()[i].patient) ? cases.validation : cases.training).push_back(i);
  }
  require<ConfigError>(!cases.training.empty() && !cases.validation.empty(),
                       "data.fold " + data.fold + " of " + std::to_string(data.folds) + ": " +
                           std::to_string(patients.size()) +
                           " labelled patients leave a part empty");
  return cases;
}

}  // namespace hepar
