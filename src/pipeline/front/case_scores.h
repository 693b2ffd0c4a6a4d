#pragma once
#include <hepar/core/json.h>
#include <hepar/image/image.h>
#include <hepar/image/segmentation_metrics.h>
#include <hepar/pipeline/postprocess.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace hepar::detail {

/// The scores of each label of one case, as predicted and, when asked for, after only the largest
/// component of each label was kept, and after the steps of a fitted rule.
struct CaseScores {
  std::string id;
  double diagonal_mm = 0;  ///< of the reference's grid
  std::map<std::int64_t, MaskScores> raw, largest, postprocessed;
};

struct ScoreRequest {
  std::string id;
  std::vector<std::int64_t> labels;  ///< empty: every label above 0 in either image
  bool largest_component = false;
  const PostprocessRule* rule = nullptr;
};

/// Both images lie on one grid.
CaseScores score_case(const LabelImage& prediction, const LabelImage& reference,
                      const ScoreRequest& request);

/// The labels of a whole set must be the same in every case: one that occurs elsewhere and in
/// neither mask of this case is empty in both.
void complete_labels(std::vector<CaseScores>& cases, const ScoreRequest& request);

/// {"cases", "summary", "conventions"}; every case has the same labels, at least one.
Json document_of(const std::vector<CaseScores>& cases);

/// The document as lines for a terminal.
std::string table_of(const Json& document);

}  // namespace hepar::detail
