#pragma once
#include <hepar/core/json.h>
#include <hepar/pipeline/report.h>
#include <hepar/pipeline/staging_scores.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiment/evidence_figures.h"

namespace hepar::detail {

/// A row of a table of staging scores.
struct StagingRow {
  std::string name = {}, title = {}, fusion = {};
  RowTrials source = {};
  std::optional<PatientTable> scored = {};  ///< none: no trial is done
  Json document = {};                       ///< score_document of it
  std::map<std::string, Json> folds = {};   ///< fold_block of each group
  EvidenceFigures evidence = {};
  Json noise = {};  ///< score_document with noise outside of the liver; null: not asked for
};

/// Two rows under one group of patients.
struct StagingDifference {
  std::string group = {}, row = {}, minus = {};
  std::string missing = {};  ///< why there is no comparison
  std::vector<HeadComparison> questions = {};
};

struct StagingResults {
  std::string experiment, title, code_version;
  std::vector<StagingRow> rows;
  std::vector<std::string> groups;  ///< "all", domains, and "ID" and "OOD" where there is an OOD
  std::vector<StagingDifference> differences;
  std::vector<EvidenceLine> evidence;
  StagingScoreOptions options;
  Json paper;
  std::vector<std::string> notes;
};

StagingResults collect_staging(const TrialStore& store);

/// The blocks of a row's scores, or of a score_document, under a group; null where it has none.
const Json* block_of(const StagingRow& row, const std::string& group);
const Json* block_of(const Json& document, const std::string& group);

/// Cirrhosis and substantial fibrosis, as keys; the third question has the second's AUC.
extern const std::vector<std::string> kStagingQuestions;

}  // namespace hepar::detail
