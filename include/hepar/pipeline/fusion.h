#pragma once
#include <hepar/core/config.h>
#include <hepar/pipeline/cross_fit.h>
#include <hepar/pipeline/score_table.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// How the scores of a patient's sequences become one.
struct FusionConfig {
  /// mean: of probabilities (the winner's and the paper's). logit: of log odds, and the four
  /// columns fall away; for a regression head that is the mean of its outputs. median.
  /// auc_weighted: mean weighted by each sequence's AUC − ½, fitted on other folds or the fitting
  /// table.
  std::string rule = "mean";
  std::vector<std::string> sequences;  ///< that take part; empty: all
  void declare(ConfigSchema& schema);
};

/// One score a patient and run.
struct PatientTable {
  std::string where;
  std::vector<ScoredPatient> patients;  ///< sorted by id
  std::vector<std::int64_t> seeds;
  std::vector<std::vector<StageScore>> scores;  ///< [seed][patient]
  std::vector<bool> from_prior;                 ///< [patient]: had no sequence, got the prior
  bool has_domain = false, has_fold = false;
};

/// Weights of q4 and q1 by sequence, for each [seed][patient].
struct SequenceWeight {
  double q4 = 1, q1 = 1;
};
using FusionWeights = std::vector<std::vector<std::map<std::string, SequenceWeight>>>;

struct FusionFit {
  std::vector<std::optional<StagePrior>> priors;  ///< [patient], for those without a sequence
  FusionWeights weights;                          ///< auc_weighted only
};

/// Weights for `scored`, cross-fitted by `plan` on `source` (the same table when not external):
/// each sequence's AUC − ½, at least 0, over the patients who have it; 0 without both classes. A
/// run is fitted on the source's run of the same seed, or on all of them when it has none.
FusionWeights fit_weights(const ViewTable& scored, const FitPlan& plan, const ViewTable& source);

/// Patients without a sequence get the training prior and are flagged. Throws ConfigError when a
/// patient needs a prior or weights and has none, or `sequences` names one that the table lacks.
PatientTable fuse(const ViewTable& table, const FusionConfig& config, const FusionFit& fit);

/// The table with at most `count` sequences of each patient removed at random, one always staying;
/// the same of every run. Depends on patients, seed and draw only.
struct RemovalDraw {
  std::int64_t count = 0, draw = 0;
  std::uint64_t seed = 0;
};
ViewTable remove_sequences(const ViewTable& table, const RemovalDraw& draw);

/// The table with the given sequences only; per patient under the same name.
ViewTable only_sequences(const ViewTable& table, const std::vector<std::string>& sequences);

}  // namespace hepar
