#include "hepar/pipeline/staging_task.h"

namespace hepar {
namespace {

struct TaskText {
  const char* name;
  const char* positive;
  const char* rule;
};

const TaskText& text_of(StagingTask task) {
  static constexpr std::array<TaskText, 3> kTexts{{{"cirrhosis", "S4", "q4 >= 0.5"},
                                                   {"substantial_fibrosis", "S2-4", "q1 < 0.5"},
                                                   {"official_s1", "S1", "q1 >= 0.5"}}};
  return kTexts.at(static_cast<std::size_t>(task));
}

double rank_score(StagingTask task, const StageScore& score) {
  return task == StagingTask::kSubstantialFibrosis ? -score.q1 : probability(task, score);
}

template <class ScoreOf>
RocSample sample_of(StagingTask task, const RunOfTable& of, const ScoreOf& score_of) {
  RocSample sample;
  for (const std::size_t i : of.patients) {
    sample.scores.push_back(score_of(task, of.table.scores[of.run][i]));
    sample.positive.push_back(is_positive(task, of.table.patients[i].stage));
  }
  return sample;
}

}  // namespace

const char* name_of(StagingTask task) { return text_of(task).name; }
const char* positive_of(StagingTask task) { return text_of(task).positive; }
const char* call_rule(StagingTask task) { return text_of(task).rule; }

bool is_positive(StagingTask task, int stage) {
  switch (task) {
    case StagingTask::kCirrhosis:
      return stage == 4;
    case StagingTask::kSubstantialFibrosis:
      return stage > 1;
    case StagingTask::kOfficialS1:
      break;
  }
  return stage == 1;
}

double probability(StagingTask task, const StageScore& score) {
  switch (task) {
    case StagingTask::kCirrhosis:
      return score.q4;
    case StagingTask::kSubstantialFibrosis:
      return 1 - score.q1;
    case StagingTask::kOfficialS1:
      break;
  }
  return score.q1;
}

bool is_called(StagingTask task, const StageScore& score, double cut) {
  return task == StagingTask::kSubstantialFibrosis ? score.q1 < 1 - cut
                                                   : probability(task, score) >= cut;
}

RocSample ranking(StagingTask task, const RunOfTable& of) {
  return sample_of(task, of, rank_score);
}

RocSample probabilities(StagingTask task, const RunOfTable& of) {
  return sample_of(task, of, probability);
}

SeededScores seeded_scores(StagingTask task, const PatientTable& table,
                           const std::vector<std::size_t>& patients) {
  SeededScores seeded;
  for (std::size_t run = 0; run < table.seeds.size(); ++run) {
    RocSample sample = ranking(task, {.table = table, .run = run, .patients = patients});
    seeded.scores.push_back(std::move(sample.scores));
    seeded.positive = std::move(sample.positive);
  }
  for (const std::size_t i : patients) {
    seeded.stratum.push_back(table.patients[i].stage);
  }
  return seeded;
}

}  // namespace hepar
