#include "experiment/case_table.h"

#include "hepar/core/error.h"

namespace hepar::detail {
namespace {

void add_block(const Json& block, const std::string& variant, const std::string& where,
               CaseScoresOfRun& scores) {
  for (const std::string& score : kScores) {
    const Json value = json_get<Json>(block, score, where);
    if (!value.is_null()) {
      scores.value[variant + "." + score] = json_get<double>(block, score, where);
    }
  }
}

}  // namespace

const std::vector<std::string> kVariants{"raw", "largest_component"};
const std::vector<std::string> kScores{"dsc", "hd_mm", "hd95_mm"};

std::map<std::string, CaseScoresOfRun> read_case_scores(const std::filesystem::path& file) {
  const Json document = read_json(file);
  std::map<std::string, CaseScoresOfRun> cases;
  for (const Json& entry : json_get<Json>(document, "cases", file.string())) {
    const auto id = json_get<std::string>(entry, "id", file.string());
    const std::string where = file.string() + ": case " + id;
    CaseScoresOfRun& scores = cases[id];
    scores.diagonal_mm = json_get<double>(entry, "image_diagonal_mm", where);
    add_block(entry, kVariants[0], where, scores);
    if (entry.contains(kVariants[1])) {
      add_block(entry[kVariants[1]], kVariants[1], where, scores);
    }
  }
  return cases;
}

std::map<std::string, double> averaged(
    const std::vector<std::map<std::string, CaseScoresOfRun>>& runs,
    const std::vector<std::string>& cases, const std::string& score) {
  std::map<std::string, double> means;
  for (const std::string& id : cases) {
    double sum = 0;
    int n = 0;
    for (const auto& run : runs) {
      const auto scores = run.find(id);
      if (scores != run.end() && scores->second.value.contains(score)) {
        sum += scores->second.value.at(score);
        ++n;
      }
    }
    if (n > 0) {
      means[id] = sum / n;
    }
  }
  return means;
}

}  // namespace hepar::detail
