#include "hepar/pipeline/fusion.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "hepar/core/error.h"
#include "hepar/core/random.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/roc.h"
#include "staging/numbers.h"
#include "staging/source_runs.h"

namespace hepar {
namespace {

using Views = std::map<std::string, StageScore>;
using Weights = std::map<std::string, SequenceWeight>;

struct Weighted {
  std::vector<double> values, weights;
};

double weighted_mean(const Weighted& scores) {
  const double total = std::accumulate(scores.weights.begin(), scores.weights.end(), 0.0);
  double sum = 0;
  for (std::size_t i = 0; i < scores.values.size(); ++i) {
    // Where no sequence of the patient was better than chance, all count the same.
    sum += scores.values[i] *
           (total > 0 ? scores.weights[i] / total : 1 / static_cast<double>(scores.values.size()));
  }
  return sum;
}

double combine(const std::string& rule, Weighted scores) {
  if (rule == "median") {
    return quantile(scores.values, 0.5);
  }
  if (rule == "logit") {
    std::transform(scores.values.begin(), scores.values.end(), scores.values.begin(),
                   detail::log_odds);
    return 1 / (1 + std::exp(-weighted_mean(scores)));
  }
  return weighted_mean(scores);
}

template <class Value, class WeightOf>
double combine_views(const std::string& rule, const Views& views, const Value& value,
                     const WeightOf& weight) {
  Weighted scores;
  for (const auto& [sequence, score] : views) {
    scores.values.push_back(value(score));
    scores.weights.push_back(weight(sequence));
  }
  return combine(rule, scores);
}

StageScore combine_patient(const std::string& rule, const Views& views, const Weights* weights) {
  const auto weight = [&](double SequenceWeight::*which) {
    return [=](const std::string& sequence) {
      if (weights == nullptr) {
        return 1.0;
      }
      const auto found = weights->find(sequence);
      return found == weights->end() ? 0.0 : found->second.*which;
    };
  };
  StageScore fused;
  fused.q4 = combine_views(
      rule, views, [](const StageScore& s) { return s.q4; }, weight(&SequenceWeight::q4));
  fused.q1 = combine_views(
      rule, views, [](const StageScore& s) { return s.q1; }, weight(&SequenceWeight::q1));
  const bool four = rule == "mean" && std::all_of(views.begin(), views.end(), [](const auto& view) {
                      return view.second.stages.has_value();
                    });
  if (four) {
    fused.stages.emplace();
    for (std::size_t s = 0; s < kStages; ++s) {
      (*fused.stages)[s] = combine_views(
          rule, views, [s](const StageScore& score) { return (*score.stages)[s]; },
          [](const std::string&) { return 1.0; });
    }
  }
  return fused;
}

StageScore score_of_prior(const StagePrior& prior) {
  return {.q4 = prior[3], .q1 = prior[0], .stages = prior};
}

void check_names(const std::vector<std::string>& wanted, const ViewTable& table) {
  const std::vector<std::string> known = table.sequences();
  for (const std::string& name : wanted) {
    const std::string near = nearest(name, known);
    require<ConfigError>(std::find(known.begin(), known.end(), name) != known.end(),
                         "fusion.sequences: " + table.where + " has no '" + name + "', it has " +
                             join(known, ", ") +
                             (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
}

double weight_of(const RocSample& sample) {
  constexpr double kChance = 0.5;
  return std::max(0.0, auc(sample).value_or(kChance) - kChance);
}

/// Scores of one sequence over the patients and runs given.
Weights weights_of_group(const ViewTable& source, const std::vector<std::size_t>& runs,
                         const std::vector<std::size_t>& patients) {
  std::map<std::string, std::pair<RocSample, RocSample>> samples;
  for (const std::size_t run : runs) {
    for (const std::size_t i : patients) {
      for (const auto& [sequence, score] : source.views[run][i]) {
        auto& [cirrhosis, s1] = samples[sequence];
        cirrhosis.scores.push_back(score.q4);
        cirrhosis.positive.push_back(source.patients[i].stage == 4);
        s1.scores.push_back(score.q1);
        s1.positive.push_back(source.patients[i].stage == 1);
      }
    }
  }
  Weights weights;
  for (const auto& [sequence, of] : samples) {
    weights[sequence] = {.q4 = weight_of(of.first), .q1 = weight_of(of.second)};
  }
  return weights;
}

}  // namespace

void FusionConfig::declare(ConfigSchema& schema) {
  schema.add_choice("rule", rule, {"mean", "logit", "median", "auc_weighted"},
                    "How scores of a patient's sequences become one: mean of probabilities, of log "
                    "odds, median, or weighted by each sequence's cross-fitted AUC - 0.5");
  schema.add("sequences", sequences, "Sequences that take part; none: all");
}

FusionWeights fit_weights(const ViewTable& scored, const FitPlan& plan, const ViewTable& source) {
  FusionWeights weights(scored.seeds.size());
  for (std::size_t s = 0; s < scored.seeds.size(); ++s) {
    weights[s].resize(scored.patients.size());
    const std::vector<std::size_t> runs = detail::source_runs(source.seeds, scored.seeds[s]);
    for (const FitGroup& group : plan.groups) {
      const Weights fitted = weights_of_group(source, runs, group.fitted_on);
      for (const std::size_t i : group.applied_to) {
        weights[s][i] = fitted;
      }
    }
  }
  return weights;
}

PatientTable fuse(const ViewTable& table, const FusionConfig& config, const FusionFit& fit) {
  check_names(config.sequences, table);
  const bool weighted = config.rule == "auc_weighted";
  require<ConfigError>(!weighted || !fit.weights.empty(),
                       "fusion.rule=auc_weighted: needs a fold column or --fit to learn the "
                       "weights on other patients than those it is applied to");
  const ViewTable kept = config.sequences.empty() ? table : only_sequences(table, config.sequences);
  PatientTable fused{.where = table.where,
                     .patients = table.patients,
                     .seeds = table.seeds,
                     .scores = {},
                     .from_prior = std::vector<bool>(table.patients.size(), false),
                     .has_domain = table.has_domain,
                     .has_fold = table.has_fold};
  for (std::size_t s = 0; s < kept.seeds.size(); ++s) {
    auto& run = fused.scores.emplace_back();
    for (std::size_t i = 0; i < kept.patients.size(); ++i) {
      const Views& views = kept.views[s][i];
      if (views.empty()) {
        require<ConfigError>(fit.priors[i].has_value(),
                             table.where + ": case " + kept.patients[i].id +
                                 " has no sequence to score and needs the training prior: give "
                                 "--train-prior n1,n2,n3,n4, --fit, or a fold column");
        run.push_back(score_of_prior(*fit.priors[i]));
        fused.from_prior[i] = true;
      } else if (!table.per_sequence) {
        run.push_back(views.begin()->second);
        fused.from_prior[i] = fused.from_prior[i] || run.back().from_prior;
      } else {
        run.push_back(combine_patient(config.rule, views, weighted ? &fit.weights[s][i] : nullptr));
      }
    }
  }
  return fused;
}

ViewTable remove_sequences(const ViewTable& table, const RemovalDraw& draw) {
  ViewTable result = table;
  for (std::size_t i = 0; i < table.patients.size(); ++i) {
    RandomStream random({.seed = draw.seed,
                         .purpose = Purpose::kBootstrap,
                         .step = static_cast<std::uint64_t>(draw.draw),
                         .slot = static_cast<std::uint32_t>(i) + 1});
    std::vector<std::string> names;
    for (const auto& [name, score] : table.views.front()[i]) {
      names.push_back(name);
    }
    std::vector<std::int64_t> order(names.size());
    std::iota(order.begin(), order.end(), std::int64_t{0});
    random.shuffle(order);
    const auto most = static_cast<std::int64_t>(names.size()) - 1;
    for (std::int64_t k = 0; k < std::min(draw.count, most); ++k) {
      for (auto& run : result.views) {
        run[i].erase(names[static_cast<std::size_t>(order[static_cast<std::size_t>(k)])]);
      }
    }
  }
  return result;
}

ViewTable only_sequences(const ViewTable& table, const std::vector<std::string>& sequences) {
  ViewTable result = table;
  for (auto& run : result.views) {
    for (Views& views : run) {
      std::erase_if(views, [&](const auto& view) {
        return std::find(sequences.begin(), sequences.end(), view.first) == sequences.end();
      });
    }
  }
  return result;
}

}  // namespace hepar
