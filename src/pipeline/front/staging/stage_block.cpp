#include <algorithm>

#include "hepar/pipeline/call_metrics.h"
#include "hepar/pipeline/staging_scores.h"
#include "staging/json_values.h"

namespace hepar {
namespace {

using detail::json_of;

int likeliest(const StageProbabilities& stages) {
  return static_cast<int>(std::max_element(stages.begin(), stages.end()) - stages.begin()) + 1;
}

enum class StageRule { kOwn, kFour, kTwo };

StageRule rule_of(const StageScore& score) {
  if (score.call > 0) {
    return StageRule::kOwn;
  }
  return score.stages ? StageRule::kFour : StageRule::kTwo;
}

const char* text_of(StageRule rule) {
  switch (rule) {
    case StageRule::kOwn:
      return "the head's own call";
    case StageRule::kFour:
      return "the likeliest of four probabilities";
    case StageRule::kTwo:
      break;
  }
  return "the likeliest of q1, q4 and the rest shared between S2 and S3 by the training prior";
}

struct StageCalls {
  std::vector<int> truth, called;
  std::array<std::size_t, 3> by_rule{};
  std::size_t overflowed = 0;
};

StageCalls stage_calls(const StagingEvidence& evidence, std::size_t run,
                       const std::vector<std::size_t>& patients) {
  StageCalls calls;
  for (const std::size_t i : patients) {
    const StageScore& score = evidence.scored.scores[run][i];
    const FourColumns columns = four_columns(score, evidence.fit.priors[i]);
    calls.truth.push_back(evidence.scored.patients[i].stage);
    calls.called.push_back(score.call > 0 ? score.call : likeliest(columns.stages));
    ++calls.by_rule.at(static_cast<std::size_t>(rule_of(score)));
    calls.overflowed += columns.overflowed ? 1 : 0;
  }
  return calls;
}

}  // namespace

Json stage_block(const StagingEvidence& evidence, const std::vector<std::size_t>& patients) {
  std::vector<double> kappas;
  std::vector<double> maes;
  std::vector<double> accs;
  Json block;
  for (std::size_t run = 0; run < evidence.scored.seeds.size(); ++run) {
    const StageCalls calls = stage_calls(evidence, run, patients);
    const StageConfusion counts = confusion(calls.truth, calls.called);
    if (run == 0) {
      for (const StageRule rule : {StageRule::kOwn, StageRule::kFour, StageRule::kTwo}) {
        if (calls.by_rule.at(static_cast<std::size_t>(rule)) > 0) {
          block["rule"][text_of(rule)] = calls.by_rule.at(static_cast<std::size_t>(rule));
        }
      }
      block["n_q1_plus_q4_above_1"] = calls.overflowed;
    }
    block["confusion"].push_back(counts);
    if (const auto kappa = quadratic_weighted_kappa(counts)) {
      kappas.push_back(*kappa);
    }
    if (const auto mae = stage_mae(counts)) {
      maes.push_back(*mae);
      std::size_t right = 0;
      for (std::size_t s = 0; s < kStages; ++s) {
        right += counts[s][s];
      }
      accs.push_back(static_cast<double>(right) / static_cast<double>(patients.size()));
    }
  }
  if (evidence.scored.seeds.size() == 1) {
    block["confusion"] = Json(block["confusion"][0]);
  }
  block["acc"] = detail::mean_and_sd(accs)["mean"];
  block["quadratic_weighted_kappa"] = detail::mean_and_sd(kappas)["mean"];
  block["mae_stages"] = detail::mean_and_sd(maes)["mean"];
  return block;
}

}  // namespace hepar
