#include <algorithm>
#include <array>
#include <map>

#include "hepar/core/error.h"
#include "hepar/pipeline/call_metrics.h"
#include "hepar/pipeline/staging_scores.h"
#include "staging/json_values.h"

namespace hepar {
namespace {

constexpr std::array<StagingTask, 2> kTasks{StagingTask::kCirrhosis,
                                            StagingTask::kSubstantialFibrosis};

/// The patients both tables have, in one order.
struct SharedPatients {
  std::vector<std::size_t> first, second;
};

SharedPatients shared_patients(const NamedHead& a, const NamedHead& b) {
  std::map<std::string, std::size_t> places;
  for (std::size_t j = 0; j < b.table->patients.size(); ++j) {
    places[b.table->patients[j].id] = j;
  }
  SharedPatients shared;
  for (std::size_t i = 0; i < a.table->patients.size(); ++i) {
    const ScoredPatient& patient = a.table->patients[i];
    const auto found = places.find(patient.id);
    if (found == places.end()) {
      continue;
    }
    const int other = b.table->patients[found->second].stage;
    require<DataError>(patient.stage == other, "compare: case " + patient.id + " has stage " +
                                                   std::to_string(patient.stage) + " in " +
                                                   a.table->where + " and " +
                                                   std::to_string(other) + " in " + b.table->where);
    shared.first.push_back(i);
    shared.second.push_back(found->second);
  }
  require<DataError>(!shared.first.empty(), "compare: " + a.table->where + " and " +
                                                b.table->where + " have no case in common");
  return shared;
}

void check_seeds(const PatientTable& a, const PatientTable& b) {
  require<DataError>(a.seeds == b.seeds || (a.seeds.size() == 1 && b.seeds.size() == 1),
                     "compare: " + a.where + " and " + b.where +
                         " were run with other seeds; a difference is paired over seeds");
}

/// The larger of two in the middle: never the more significant one.
std::optional<double> median_p(std::vector<double> values) {
  if (values.empty()) {
    return std::nullopt;
  }
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

DiscordantCalls discordant(StagingTask task, const RunOfTable& a, const RunOfTable& b) {
  DiscordantCalls counts;
  for (std::size_t i = 0; i < a.patients.size(); ++i) {
    const bool truth = is_positive(task, a.table.patients[a.patients[i]].stage);
    const bool ours = is_called(task, a.table.scores[a.run][a.patients[i]]) == truth;
    const bool theirs = is_called(task, b.table.scores[b.run][b.patients[i]]) == truth;
    counts.first_only += ours && !theirs ? 1 : 0;
    counts.second_only += theirs && !ours ? 1 : 0;
  }
  return counts;
}

HeadComparison compare(const NamedHead& a, const NamedHead& b, StagingTask task,
                       const BootstrapOptions& options) {
  const SharedPatients shared = shared_patients(a, b);
  HeadComparison result{.first = a.name, .second = b.name, .task = task};
  result.n = shared.first.size();
  result.only_first = a.table->patients.size() - result.n;
  result.only_second = b.table->patients.size() - result.n;
  const SeededScores ours = seeded_scores(task, *a.table, shared.first);
  const SeededScores theirs = seeded_scores(task, *b.table, shared.second);
  if (const auto area = mean_auc(ours)) {
    result.difference = *area - *mean_auc(theirs);
    result.interval = bootstrap_auc_difference(ours, theirs, options);
  }
  std::vector<double> delong_p;
  std::vector<double> mcnemar_p;
  for (std::size_t run = 0; run < ours.scores.size(); ++run) {
    const DeLongTest test = delong_test({ours.scores[run], ours.positive}, theirs.scores[run]);
    if (test.p) {
      delong_p.push_back(*test.p);
    }
    mcnemar_p.push_back(mcnemar_exact(
        discordant(task, {*a.table, run, shared.first}, {*b.table, run, shared.second})));
  }
  result.delong_seeds = delong_p.size();
  result.delong_p = median_p(delong_p);
  result.mcnemar_p = median_p(mcnemar_p);
  return result;
}

using Field = std::optional<double> HeadComparison::*;

/// Holm over the comparisons of one question that have a p.
void adjust(std::vector<HeadComparison>& family, Field p, Field adjusted) {
  std::vector<double> values;
  for (const HeadComparison& comparison : family) {
    if (comparison.*p) {
      values.push_back(*(comparison.*p));
    }
  }
  const std::vector<double> holms = holm(values);
  std::size_t next = 0;
  for (HeadComparison& comparison : family) {
    if (comparison.*p) {
      comparison.*adjusted = holms[next++];
    }
  }
}

}  // namespace

std::vector<HeadComparison> compare_heads(
    const std::vector<NamedHead>& heads,
    const std::vector<std::pair<std::size_t, std::size_t>>& pairs,
    const BootstrapOptions& options) {
  std::vector<HeadComparison> all;
  for (const StagingTask task : kTasks) {
    std::vector<HeadComparison> family;
    for (const auto& [first, second] : pairs) {
      check_seeds(*heads.at(first).table, *heads.at(second).table);
      family.push_back(compare(heads.at(first), heads.at(second), task, options));
    }
    adjust(family, &HeadComparison::delong_p, &HeadComparison::delong_holm_p);
    adjust(family, &HeadComparison::mcnemar_p, &HeadComparison::mcnemar_holm_p);
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

Json to_json(const std::vector<HeadComparison>& comparisons) {
  using detail::json_of;
  Json json = Json::array();
  for (const HeadComparison& c : comparisons) {
    json.push_back({{"question", name_of(c.task)},
                    {"first", c.first},
                    {"second", c.second},
                    {"n", c.n},
                    {"n_only_first", c.only_first},
                    {"n_only_second", c.only_second},
                    {"auc_difference", json_of(c.difference)},
                    {"auc_difference_bootstrap_ci", json_of(c.interval)},
                    {"delong_p", json_of(c.delong_p)},
                    {"delong_holm_p", json_of(c.delong_holm_p)},
                    {"delong_seeds", c.delong_seeds},
                    {"mcnemar_p", json_of(c.mcnemar_p)},
                    {"mcnemar_holm_p", json_of(c.mcnemar_holm_p)}});
  }
  return json;
}

}  // namespace hepar
