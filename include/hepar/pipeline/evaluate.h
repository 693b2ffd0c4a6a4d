#pragma once
#include <hepar/core/config.h>
#include <hepar/core/json.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

/// `hepar evaluate`: predicted masks against reference masks, paired by file name.
struct EvaluateConfig {
  std::string pred;  ///< folder of NIfTI masks
  std::string ref;   ///< folder of NIfTI masks
  std::string out;   ///< JSON file
  std::vector<std::int64_t>
      labels;  ///< labels to score, others are background; empty: all that occur
  bool largest_component = false;  ///< score once more with the largest component of each label
  std::string postprocessing;      ///< postprocessing.json: score once more after its steps
  std::int64_t threads = 0;        ///< cases scored side by side; 0: all processors
  void declare(ConfigSchema& schema);
};

/// Scores every pair of cases on the reference's own grid, distances in mm. The document has
/// `cases` (by id), `summary` and `conventions`; it does not depend on `threads`. Throws DataError
/// that lists *every* bad case: no prediction or no reference for an id, two files with one id,
/// another grid, values that are not labels, unreadable files; ConfigError that lists every case
/// whose mask went into an ancestor of its prediction (PROTOCOL §2).
Json evaluate_folders(const EvaluateConfig& config);

/// evaluate_folders(), written to config.out atomically, and as a table on stdout. With `dry_run`
/// only names and headers are checked and nothing is written. Throws ConfigError when a path is not
/// given.
void evaluate(const EvaluateConfig& config, bool dry_run);

}  // namespace hepar
