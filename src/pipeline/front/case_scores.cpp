#include "case_scores.h"

#include <hepar/image/components.h>

#include <algorithm>
#include <cmath>

namespace hepar::detail {
namespace {

std::vector<std::uint8_t> mask_of(const LabelImage& image, std::int64_t label) {
  std::vector<std::uint8_t> mask(image.voxels.size());
  std::transform(image.voxels.begin(), image.voxels.end(), mask.begin(),
                 [label](std::int16_t v) { return static_cast<std::uint8_t>(v == label ? 1 : 0); });
  return mask;
}

std::set<std::int64_t> labels_in(const LabelImage& image) {
  std::set<std::int64_t> labels;
  std::int16_t last = 0;
  for (const std::int16_t v : image.voxels) {
    if (v != last && v > 0) {
      labels.insert(v);
    }
    last = v;
  }
  return labels;
}

double diagonal_mm(const Grid& grid) {
  const ExtentMm e = extent(grid.size, grid.spacing);
  return std::hypot(e.z, e.y, e.x);
}

}  // namespace

CaseScores score_case(const LabelImage& prediction, const LabelImage& reference,
                      const ScoreRequest& request) {
  std::set<std::int64_t> labels(request.labels.begin(), request.labels.end());
  if (labels.empty()) {
    labels = labels_in(prediction);
    labels.merge(labels_in(reference));
  }
  const Grid& grid = reference.grid;
  CaseScores scores;
  scores.id = request.id;
  scores.diagonal_mm = diagonal_mm(grid);
  LabelImage processed;
  if (request.rule != nullptr) {
    processed = prediction;
    apply_rule(*request.rule, processed);
  }
  for (const std::int64_t label : labels) {
    std::vector<std::uint8_t> predicted = mask_of(prediction, label);
    const std::vector<std::uint8_t> wanted = mask_of(reference, label);
    scores.raw[label] = score_masks(predicted, wanted, grid.size, grid.spacing);
    if (request.largest_component) {
      const std::vector<std::uint8_t> before = predicted;
      keep_largest_component(predicted, grid.size);
      scores.largest[label] = predicted == before
                                  ? scores.raw[label]
                                  : score_masks(predicted, wanted, grid.size, grid.spacing);
    }
    if (request.rule != nullptr) {
      scores.postprocessed[label] =
          score_masks(mask_of(processed, label), wanted, grid.size, grid.spacing);
    }
  }
  return scores;
}

void complete_labels(std::vector<CaseScores>& cases, const ScoreRequest& request) {
  const MaskScores absent = score_masks({}, {}, {0, 0, 0}, {1, 1, 1});
  for (CaseScores& scores : cases) {
    for (const std::int64_t label : request.labels) {
      scores.raw.try_emplace(label, absent);
      if (request.largest_component) {
        scores.largest.try_emplace(label, absent);
      }
      if (request.rule != nullptr) {
        scores.postprocessed.try_emplace(label, absent);
      }
    }
  }
}

}  // namespace hepar::detail
