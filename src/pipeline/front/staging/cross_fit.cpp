#include "hepar/pipeline/cross_fit.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar {
namespace {

/// One group for each value, fitted on the patients with another.
template <class Key, class KeyOf>
std::vector<FitGroup> groups_by(const std::vector<ScoredPatient>& patients, const KeyOf& key_of) {
  std::map<Key, FitGroup> groups;
  for (std::size_t i = 0; i < patients.size(); ++i) {
    groups[key_of(patients[i])].applied_to.push_back(i);
  }
  std::vector<FitGroup> result;
  for (auto& [key, group] : groups) {
    for (std::size_t i = 0; i < patients.size(); ++i) {
      if (key_of(patients[i]) != key) {
        group.fitted_on.push_back(i);
      }
    }
    result.push_back(std::move(group));
  }
  return result;
}

std::vector<std::size_t> all_of(const std::vector<ScoredPatient>& patients) {
  std::vector<std::size_t> indices(patients.size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  return indices;
}

void refuse_shared(const std::vector<ScoredPatient>& scored,
                   const std::vector<ScoredPatient>& source) {
  std::set<std::string> known;
  for (const ScoredPatient& patient : source) {
    known.insert(patient.id);
  }
  std::vector<std::string> shared;
  for (const ScoredPatient& patient : scored) {
    if (known.contains(patient.id)) {
      shared.push_back(patient.id);
    }
  }
  require<DataError>(shared.empty(),
                     "fit: " + std::to_string(shared.size()) +
                         " scored case(s) are in the fitting table too: " + join(shared, ", "));
}

std::set<int> stages_of(const std::vector<ScoredPatient>& patients,
                        const std::vector<std::size_t>& which) {
  std::set<int> stages;
  for (const std::size_t i : which) {
    stages.insert(patients[i].stage);
  }
  return stages;
}

/// A score of a class with share `from` as it would be with share `to`.
double shifted(double score, double to, double from) {
  const double yes = from > 0 ? score * to / from : 0;
  const double no = from < 1 ? (1 - score) * (1 - to) / (1 - from) : 0;
  return yes + no > 0 ? yes / (yes + no) : score;
}

}  // namespace

FitPlan make_fit_plan(const std::vector<ScoredPatient>& scored,
                      const std::vector<ScoredPatient>* source) {
  if (source != nullptr) {
    refuse_shared(scored, *source);
    return {.external = true, .groups = {{"all", all_of(scored), all_of(*source)}}};
  }
  FitPlan plan;
  if (std::all_of(scored.begin(), scored.end(),
                  [](const ScoredPatient& patient) { return patient.fold.has_value(); })) {
    plan.groups =
        groups_by<std::int64_t>(scored, [](const ScoredPatient& patient) { return *patient.fold; });
  }
  if (plan.groups.size() < 2) {
    return {};
  }
  for (FitGroup& group : plan.groups) {
    group.name = "fold " + std::to_string(*scored[group.applied_to.front()].fold);
  }
  return plan;
}

std::vector<FitGroup> leave_one_domain_out(const std::vector<ScoredPatient>& patients) {
  std::vector<FitGroup> groups =
      groups_by<std::string>(patients, [](const ScoredPatient& patient) { return patient.domain; });
  require<DataError>(groups.size() > 1, "leave one domain out: wanted two domains or more, found " +
                                            std::to_string(groups.size()));
  const std::set<int> present = stages_of(patients, all_of(patients));
  for (FitGroup& group : groups) {
    group.name = patients[group.applied_to.front()].domain;
    const std::set<int> left = stages_of(patients, group.fitted_on);
    for (const int stage : present) {
      require<DataError>(left.contains(stage), "leave one domain out: without " + group.name +
                                                   " no patient of stage " + std::to_string(stage) +
                                                   " is left");
    }
  }
  return groups;
}

StagePrior prior_of(const std::vector<double>& stages, const std::string& key) {
  const double sum = std::accumulate(stages.begin(), stages.end(), 0.0);
  require<ConfigError>(
      stages.size() == kStages && sum > 0 &&
          std::all_of(stages.begin(), stages.end(), [](double s) { return s >= 0; }),
      key + ": wanted four counts or shares, of S1 to S4, none negative and not all 0");
  StagePrior prior{};
  for (std::size_t s = 0; s < kStages; ++s) {
    prior[s] = stages[s] / sum;
  }
  return prior;
}

std::vector<std::optional<StagePrior>> fitted_priors(const std::vector<ScoredPatient>& scored,
                                                     const FitPlan& plan,
                                                     const std::vector<ScoredPatient>& source) {
  std::vector<std::optional<StagePrior>> priors(scored.size());
  for (const FitGroup& group : plan.groups) {
    std::vector<double> counts(kStages, 0);
    for (const std::size_t i : group.fitted_on) {
      if (source[i].stage > 0) {
        ++counts[static_cast<std::size_t>(source[i].stage - 1)];
      }
    }
    if (std::any_of(counts.begin(), counts.end(), [](double count) { return count > 0; })) {
      const StagePrior prior = prior_of(counts, group.name);
      for (const std::size_t i : group.applied_to) {
        priors[i] = prior;
      }
    }
  }
  return priors;
}

StageScore corrected(const StageScore& score, const PriorShift& shift) {
  StageScore result = score;
  if (!score.stages) {
    result.q4 = shifted(score.q4, shift.train[3], shift.sampler[3]);
    result.q1 = shifted(score.q1, shift.train[0], shift.sampler[0]);
    return result;
  }
  StageProbabilities weighted{};
  double sum = 0;
  for (std::size_t s = 0; s < kStages; ++s) {
    weighted[s] = shift.sampler[s] > 0 ? (*score.stages)[s] * shift.train[s] / shift.sampler[s] : 0;
    sum += weighted[s];
  }
  if (sum > 0) {
    for (double& p : weighted) {
      p /= sum;
    }
    result.stages = weighted;
    result.q4 = weighted[3];
    result.q1 = weighted[0];
  }
  return result;
}

FourColumns four_columns(const StageScore& score, const std::optional<StagePrior>& prior) {
  if (score.stages) {
    return {.stages = *score.stages};
  }
  FourColumns columns{.by_rule = true, .overflowed = score.q1 + score.q4 > 1};
  const double scale = columns.overflowed ? 1 / (score.q1 + score.q4) : 1;
  const double rest = columns.overflowed ? 0 : 1 - score.q1 - score.q4;
  const bool known = prior && (*prior)[1] + (*prior)[2] > 0;
  const double second = known ? (*prior)[1] / ((*prior)[1] + (*prior)[2]) : 0.5;
  columns.stages = {score.q1 * scale, rest * second, rest * (1 - second), score.q4 * scale};
  return columns;
}

}  // namespace hepar
