#pragma once
#include <hepar/core/config.h>
#include <hepar/core/json.h>
#include <hepar/pipeline/fusion.h>
#include <hepar/pipeline/staging_scores.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

/// `hepar score`: how good the staging scores of a table are.
struct ScoreConfig {
  std::string scores;  ///< CSV: case, stage, q4, q1 and more (score_table.h)
  std::string out;     ///< JSON file
  std::string cases;   ///< CSV of all patients: those without a row get the prior
  std::string fit;     ///< out-of-fold CSV that cuts, weights and priors are fitted on
  std::vector<std::string> against;  ///< CSVs of other heads to compare with
  std::string fused;                 ///< CSV to write: one row a patient and run
  std::vector<double> train_prior;   ///< counts or shares of S1 … S4 in training; empty: fitted
  std::vector<double> sampler_prior{1, 1, 1, 1};
  FusionConfig fusion;
  StagingScoreOptions options;
  void declare(ConfigSchema& schema);
};

/// Reads, fuses, scores and compares; the answer is what goes to `out` (docs/scores.md). Throws
/// ConfigError and DataError as the parts do.
Json score(const ScoreConfig& config);

/// score(), written to config.out atomically, and as a table on stdout. With `dry_run` the tables
/// are read and checked only.
void run_score_command(const ScoreConfig& config, bool dry_run);

}  // namespace hepar
