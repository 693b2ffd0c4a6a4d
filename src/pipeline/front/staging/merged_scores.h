#pragma once
#include <hepar/pipeline/score_table.h>

#include <string>
#include <vector>

namespace hepar::detail {

struct MergedScores {
  ViewTable table;
  std::vector<std::string> left_out;  ///< "seed 1: 12 of 24 scores", runs that are not whole
};

/// Tables of one head, of other seeds or of other patients, as the one that they are parts of. A
/// seed that lacks scores which the fullest one has is left out. Throws DataError naming two files
/// that score the same thing, that give a patient two stages, domains or folds, or of which only
/// one has a column.
MergedScores merge_score_tables(const std::vector<std::string>& files);

}  // namespace hepar::detail
