#pragma once
#include <hepar/pipeline/score_table.h>
#include <hepar/pipeline/staging_scores.h>

#include <optional>
#include <string>

namespace hepar::detail {

struct EvidenceRequest {
  ScoreTableRequest table;
  std::optional<ViewTable> fit = {};  ///< out-of-fold scores to fit on; none: other folds
  FusionConfig fusion;
  std::optional<StagePrior> train_prior;  ///< goes before fitted ones
};

/// The out-of-fold table of a path; none where that is empty. Throws as read_score_table does.
std::optional<ViewTable> read_fit_table(const std::string& path);

/// Tables that one StagingEvidence points into.
class LoadedEvidence {
 public:
  explicit LoadedEvidence(const EvidenceRequest& request);
  /// Of scores that are already read; `request.table` is not looked at. Throws DataError when
  /// `request.fit` holds a scored case.
  LoadedEvidence(ViewTable views, const EvidenceRequest& request);

  [[nodiscard]] StagingEvidence evidence() const {
    return {views_, scored_, plan_, source_ ? *source_ : scored_, fusion_, fit_};
  }
  [[nodiscard]] const ViewTable& views() const { return views_; }
  [[nodiscard]] const PatientTable& scored() const { return scored_; }

 private:
  FusionConfig fusion_;
  ViewTable views_;
  FitPlan plan_;
  FusionFit fit_;
  std::optional<PatientTable> source_;
  PatientTable scored_;
};

}  // namespace hepar::detail
