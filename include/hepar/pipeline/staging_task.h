#pragma once
#include <hepar/pipeline/auc_bootstrap.h>
#include <hepar/pipeline/fusion.h>
#include <hepar/pipeline/roc.h>

#include <array>
#include <cstddef>
#include <vector>

namespace hepar {

/// The yes/no questions asked of every patient (PROTOCOL §5).
enum class StagingTask {
  kCirrhosis,            ///< S4 against S1–3, score q4, called at q4 >= cut
  kSubstantialFibrosis,  ///< S2–4 against S1, score 1 − q1, called at q1 < 1 − cut
  kOfficialS1,  ///< S1 against S2–4, score q1, called at q1 >= cut: the challenge's own way
};
constexpr std::array<StagingTask, 3> kStagingTasks{
    StagingTask::kCirrhosis, StagingTask::kSubstantialFibrosis, StagingTask::kOfficialS1};

const char* name_of(StagingTask task);      ///< "cirrhosis", "substantial_fibrosis", "official_s1"
const char* positive_of(StagingTask task);  ///< "S4", "S2-4", "S1"
const char* call_rule(StagingTask task);    ///< "q4 >= 0.5", …

bool is_positive(StagingTask task, int stage);
double probability(StagingTask task, const StageScore& score);  ///< of the positive class
bool is_called(StagingTask task, const StageScore& score, double cut = 0.5);

/// Some patients of one run of a table.
struct RunOfTable {
  const PatientTable& table;
  std::size_t run = 0;
  const std::vector<std::size_t>& patients;
};

/// Scores to rank by; those of substantial fibrosis are −q1, which no rounding of 1 − q1 ties.
RocSample ranking(StagingTask task, const RunOfTable& of);
RocSample probabilities(StagingTask task, const RunOfTable& of);

/// All runs, strata being stages.
SeededScores seeded_scores(StagingTask task, const PatientTable& table,
                           const std::vector<std::size_t>& patients);

}  // namespace hepar
