#pragma once
#include <hepar/core/json.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hepar::detail {

/// The columns of a table, as keys: variant ("raw", "largest_component") and score.
extern const std::vector<std::string> kVariants;
extern const std::vector<std::string> kScores;  ///< dsc, hd_mm, hd95_mm

/// One case's scores in one run. A distance that is undefined is not there.
struct CaseScoresOfRun {
  std::map<std::string, double> value;  ///< by "raw.dsc", …
  double diagonal_mm = 0;               ///< what an undefined distance is charged with
};

/// An `evaluate` document by case id. Throws DataError naming file and field.
std::map<std::string, CaseScoresOfRun> read_case_scores(const std::filesystem::path& file);

/// The runs of one cell for one score, averaged per case: id -> mean over the runs that have it.
std::map<std::string, double> averaged(
    const std::vector<std::map<std::string, CaseScoresOfRun>>& runs,
    const std::vector<std::string>& cases, const std::string& score);

}  // namespace hepar::detail
