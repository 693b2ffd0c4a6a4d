#pragma once
#include <hepar/pipeline/call_metrics.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// By stage S1 … S4.
using StageProbabilities = std::array<double, kStages>;

/// What a head says of one patient, or of one sequence of a patient.
struct StageScore {
  double q4 = 0;                                  ///< probability of S4 against S1–3
  double q1 = 0;                                  ///< probability of S1 against S2–4
  std::optional<StageProbabilities> stages = {};  ///< where the head has four
  int call = 0;             ///< the head's own stage, 1 to 4; 0: it has no rule of its own
  bool from_prior = false;  ///< there was nothing to score: the training prior
  bool fallback = false;    ///< the volume was not cropped to a plausible liver mask
  std::optional<double> cam_inside = {};  ///< share of the evidence that lies in the mask
  std::optional<double> mask_share = {};  ///< of the mask in the box
};

struct ScoredPatient {
  std::string id;
  int stage = 0;       ///< 1 to 4; 0: unknown
  std::string domain;  ///< vendor or centre; empty: not given
  std::optional<std::int64_t> fold;
};

/// Scores of patients, per sequence or already fused, in one or several runs (seeds).
struct ViewTable {
  std::string where;                    ///< the file, for messages
  std::vector<ScoredPatient> patients;  ///< sorted by id
  std::vector<std::int64_t> seeds;      ///< sorted; one 0 without a column
  /// [seed][patient], by sequence; "" where the table is per patient.
  std::vector<std::vector<std::map<std::string, StageScore>>> views;
  bool per_sequence = false, has_domain = false, has_fold = false, has_fallback = false;

  /// Sequences that occur, sorted.
  [[nodiscard]] std::vector<std::string> sequences() const;
};

struct ScoreTableRequest {
  std::string scores = {};    ///< CSV
  std::string cases = {};     ///< CSV that lists the patients; empty: those of `scores`
  bool require_stage = true;  ///< a patient without a stage is an error
};

/// Reads a CSV with columns case, q4, q1 and, optionally, stage (1 to 4 or S1 to S4), domain or
/// vendor, sequence, seed, fold, p1 … p4, call, fallback, from_prior, cam_inside, mask_share (the
/// last two may be empty). `cases` has case and,
/// optionally, stage, domain or vendor, fold; a patient it lists and `scores` does not has no view.
/// Throws DataError listing every problem with file, line, column, wanted and found: a score that
/// is no number within [0, 1], four that do not add up to 1, an unknown stage, a row twice, a
/// patient with two stages, domains or folds, or without a row for some seed.
ViewTable read_score_table(const ScoreTableRequest& request);

}  // namespace hepar
