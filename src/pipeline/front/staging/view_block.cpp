#include <algorithm>
#include <map>
#include <numeric>

#include "hepar/pipeline/staging_scores.h"
#include "staging/json_values.h"

namespace hepar {
namespace {

using detail::json_of;

constexpr std::array<StagingTask, 2> kTasks{StagingTask::kCirrhosis,
                                            StagingTask::kSubstantialFibrosis};

/// The AUCs of a table over the patients who have a view in it.
Json auc_of_view(const ViewTable& views, const StagingEvidence& evidence,
                 const StagingScoreOptions& options) {
  FusionConfig fusion = evidence.fusion;
  fusion.sequences.clear();
  const PatientTable fused = fuse(views, fusion, evidence.fit);
  std::vector<std::size_t> patients;
  for (std::size_t i = 0; i < fused.patients.size(); ++i) {
    if (!fused.from_prior[i]) {
      patients.push_back(i);
    }
  }
  Json json{{"n", patients.size()}};
  for (const StagingTask task : kTasks) {
    const SeededScores seeded = seeded_scores(task, fused, patients);
    json[name_of(task)] = {{"auc", json_of(mean_auc(seeded))},
                           {"auc_bootstrap_ci", json_of(bootstrap_auc(seeded, options.bootstrap))}};
  }
  return json;
}

/// Without a prior a patient without a view has no score; a prior of any kind lets `fuse` flag it.
FusionFit with_some_prior(const FusionFit& fit) {
  FusionFit copy = fit;
  for (auto& prior : copy.priors) {
    prior = prior.value_or(StagePrior{0.25, 0.25, 0.25, 0.25});
  }
  return copy;
}

Json removal_block(const StagingEvidence& evidence, const StagingScoreOptions& options) {
  Json block = Json::array();
  std::vector<std::size_t> all(evidence.scored.patients.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  for (std::int64_t count = 0; count <= options.most_removed; ++count) {
    std::map<StagingTask, std::vector<double>> values;
    const std::int64_t draws = count == 0 ? 1 : options.removal_draws;
    for (std::int64_t draw = 0; draw < draws; ++draw) {
      const ViewTable left = remove_sequences(
          evidence.views, {.count = count, .draw = draw, .seed = options.bootstrap.seed});
      FusionConfig fusion = evidence.fusion;
      fusion.sequences.clear();
      const PatientTable fused = fuse(left, fusion, evidence.fit);
      for (const StagingTask task : kTasks) {
        if (const auto value = mean_auc(seeded_scores(task, fused, all))) {
          values[task].push_back(*value);
        }
      }
    }
    Json entry{{"removed", count}, {"draws", draws}};
    for (const StagingTask task : kTasks) {
      entry[name_of(task)] = detail::mean_and_sd(values[task]);
    }
    block.push_back(std::move(entry));
  }
  return block;
}

/// Volumes that were not cropped to a plausible mask, by sequence and domain.
Json fallback_block(const ViewTable& views) {
  struct Share {
    std::size_t fallbacks = 0, n = 0;
  };
  std::map<std::string, std::map<std::string, Share>> shares;
  for (std::size_t i = 0; i < views.patients.size(); ++i) {
    const std::string& domain = views.patients[i].domain;
    for (const auto& [sequence, score] : views.views.front()[i]) {
      Share& share = shares[sequence][domain.empty() ? "all" : domain];
      share.fallbacks += score.fallback ? 1 : 0;
      ++share.n;
    }
  }
  Json json;
  for (const auto& [sequence, by_domain] : shares) {
    for (const auto& [domain, share] : by_domain) {
      json[sequence][domain] = {{"fallbacks", share.fallbacks}, {"n", share.n}};
    }
  }
  return json;
}

std::vector<std::string> present(const std::vector<std::string>& wanted, const ViewTable& views) {
  const std::vector<std::string> known = views.sequences();
  std::vector<std::string> kept;
  std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(kept), [&](const auto& name) {
    return std::find(known.begin(), known.end(), name) != known.end();
  });
  return kept;
}

Json mean_single(const Json& sequences, StagingTask task) {
  std::vector<double> values;
  for (const Json& sequence : sequences) {
    if (!sequence[name_of(task)]["auc"].is_null()) {
      values.push_back(sequence[name_of(task)]["auc"].get<double>());
    }
  }
  return detail::mean_and_sd(values)["mean"];
}

}  // namespace

Json view_block(const StagingEvidence& evidence, const StagingScoreOptions& options) {
  if (!evidence.views.per_sequence) {
    return nullptr;
  }
  const FusionFit fit = with_some_prior(evidence.fit);
  const StagingEvidence flagged{evidence.views,  evidence.scored, evidence.plan,
                                evidence.source, evidence.fusion, fit};
  Json block{{"sequences", Json::object()}};
  for (const std::string& name : evidence.views.sequences()) {
    block["sequences"][name] =
        auc_of_view(only_sequences(evidence.views, {name}), flagged, options);
  }
  for (const auto& [name, wanted] : {std::pair{"contrast", &options.contrast},
                                     std::pair{"non_contrast", &options.non_contrast}}) {
    const std::vector<std::string> kept = present(*wanted, evidence.views);
    block[name] = auc_of_view(only_sequences(evidence.views, kept), flagged, options);
    block[name]["sequences"] = kept;
  }
  block["fused"] = auc_of_view(evidence.views, flagged, options);
  for (const StagingTask task : kTasks) {
    block["mean_single_sequence_auc"][name_of(task)] = mean_single(block["sequences"], task);
  }
  block["removed_at_random"] = removal_block(evidence, options);
  if (evidence.views.has_fallback) {
    block["fallback_vois"] = fallback_block(evidence.views);
  }
  return block;
}

}  // namespace hepar
