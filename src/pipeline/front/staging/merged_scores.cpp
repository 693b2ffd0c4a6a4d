#include "staging/merged_scores.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "hepar/core/error.h"
#include "hepar/core/text.h"

namespace hepar::detail {
namespace {

/// Everything one run scored.
struct Run {
  std::map<std::string, std::map<std::string, StageScore>> scores;  ///< by case, by sequence
  std::map<std::pair<std::string, std::string>, std::string> files;

  [[nodiscard]] std::set<std::pair<std::string, std::string>> keys() const {
    std::set<std::pair<std::string, std::string>> keys;
    for (const auto& [key, file] : files) {
      keys.insert(key);
    }
    return keys;
  }
};

struct KnownPatient {
  ScoredPatient patient;
  std::string file;
};

class Merger {
 public:
  void add(const ViewTable& table) {
    require_same_columns(table);
    for (std::size_t i = 0; i < table.patients.size(); ++i) {
      add_patient(table.patients[i], table.where);
      for (std::size_t s = 0; s < table.seeds.size(); ++s) {
        for (const auto& [sequence, score] : table.views[s][i]) {
          add_score(runs_[table.seeds[s]], {table.patients[i].id, sequence}, score, table);
        }
      }
    }
  }

  MergedScores merged() {
    MergedScores result{.table = {}, .left_out = {}};
    result.table = std::move(columns_);
    const auto fullest = std::max_element(
        runs_.begin(), runs_.end(),
        [](const auto& a, const auto& b) { return a.second.files.size() < b.second.files.size(); });
    require<DataError>(fullest != runs_.end(), result.table.where + ": no scores");
    const auto wanted = fullest->second.keys();
    for (const auto& [id, ignored] : fullest->second.scores) {
      result.table.patients.push_back(patients_.at(id).patient);
    }
    for (auto& [seed, run] : runs_) {
      if (run.keys() != wanted) {
        result.left_out.push_back("seed " + std::to_string(seed) + ": has " +
                                  std::to_string(run.files.size()) + " scores, seed " +
                                  std::to_string(fullest->first) + " has " +
                                  std::to_string(wanted.size()));
        continue;
      }
      result.table.seeds.push_back(seed);
      auto& views = result.table.views.emplace_back();
      for (const ScoredPatient& patient : result.table.patients) {
        views.push_back(run.scores[patient.id]);
      }
    }
    return result;
  }

 private:
  void require_same_columns(const ViewTable& table) {
    if (columns_.where.empty()) {
      columns_ = table;
      columns_.patients.clear();
      columns_.seeds.clear();
      columns_.views.clear();
      return;
    }
    for (const auto& [column, here, there] :
         {std::tuple{"sequence", table.per_sequence, columns_.per_sequence},
          {"domain", table.has_domain, columns_.has_domain},
          {"fold", table.has_fold, columns_.has_fold},
          {"fallback", table.has_fallback, columns_.has_fallback}}) {
      require<DataError>(here == there, table.where + " and " + columns_.where +
                                            ": only one has a column " + column +
                                            "; they are read together as runs of one row");
    }
  }

  void add_patient(const ScoredPatient& patient, const std::string& file) {
    const auto& [known, is_new] = patients_.try_emplace(patient.id, KnownPatient{patient, file});
    const ScoredPatient& before = known->second.patient;
    require<DataError>(is_new || (before.stage == patient.stage &&
                                  before.domain == patient.domain && before.fold == patient.fold),
                       file + " and " + known->second.file + ": case " + patient.id +
                           " has two stages, domains or folds; they are read together as runs of "
                           "one row");
  }

  static void add_score(Run& run, const std::pair<std::string, std::string>& key,
                        const StageScore& score, const ViewTable& table) {
    const auto& [known, is_new] = run.files.try_emplace(key, table.where);
    require<DataError>(
        is_new, table.where + " and " + known->second + ": case " + key.first +
                    (key.second.empty() ? "" : ", sequence " + key.second) +
                    " is scored twice for one seed; the runs of a row are told apart by the column "
                    "seed");
    run.scores[key.first][key.second] = score;
  }

  ViewTable columns_;  ///< of the first table, without its patients
  std::map<std::string, KnownPatient> patients_;
  std::map<std::int64_t, Run> runs_;
};

}  // namespace

MergedScores merge_score_tables(const std::vector<std::string>& files) {
  Merger merger;
  for (const std::string& file : files) {
    merger.add(read_score_table({.scores = file, .cases = ""}));
  }
  MergedScores merged = merger.merged();
  merged.table.where = join(files, " + ");
  return merged;
}

}  // namespace hepar::detail
