#pragma once
#include <hepar/pipeline/score_table.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// Patients, and those that whatever is applied to them may be fitted on.
struct FitGroup {
  std::string name;  ///< "fold 0"; "all" with a fitting table
  std::vector<std::size_t> applied_to;
  std::vector<std::size_t> fitted_on;  ///< indices into the source's patients
};

/// What may be fitted on what (PROTOCOL §5): for a fold the out-of-fold scores of the other folds;
/// for patients outside of the cross-validation all of its out-of-fold scores.
struct FitPlan {
  bool external = false;              ///< the source is another table than the one it is applied to
  std::vector<FitGroup> groups = {};  ///< empty: nothing can be fitted
};

/// Without `source` the folds of `scored` themselves; no groups without folds or with one fold.
/// Throws DataError when a patient is in both.
FitPlan make_fit_plan(const std::vector<ScoredPatient>& scored,
                      const std::vector<ScoredPatient>* source);

/// Leave one domain out: a group for each, fitted on the others. Throws DataError naming the domain
/// when there is only one, or when the others lack a stage that some patient has.
std::vector<FitGroup> leave_one_domain_out(const std::vector<ScoredPatient>& patients);

/// How often each stage was among the patients trained on, adding up to 1.
using StagePrior = StageProbabilities;

/// Of counts or shares; throws ConfigError unless there are four, none negative, not all zero.
StagePrior prior_of(const std::vector<double>& stages, const std::string& key);

/// For each scored patient the prior of the patients that its group is fitted on; none where there
/// is no group.
std::vector<std::optional<StagePrior>> fitted_priors(const std::vector<ScoredPatient>& scored,
                                                     const FitPlan& plan,
                                                     const std::vector<ScoredPatient>& source);

/// The score as it had been under the training prior, had the head been trained on it rather than
/// on what the sampler showed: four probabilities are weighted by train / sampler and normalised;
/// q4 and q1 alone as two classes each. (Saerens et al., Neural Computation 2002, eq. 2.4.)
struct PriorShift {
  StagePrior train{}, sampler{};
};
StageScore corrected(const StageScore& score, const PriorShift& shift);

/// All four columns of a head. With two scores only, S1 = q1, S4 = q4 and the rest is shared
/// between S2 and S3 by the prior (equally without one); where q1 + q4 > 1 both are scaled to 1.
struct FourColumns {
  StageProbabilities stages{};
  bool by_rule = false;     ///< the head does not have four
  bool overflowed = false;  ///< q1 + q4 > 1
};
FourColumns four_columns(const StageScore& score, const std::optional<StagePrior>& prior);

}  // namespace hepar
