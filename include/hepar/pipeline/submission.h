#pragma once
#include <hepar/core/config.h>
#include <hepar/pipeline/fusion.h>

#include <cstddef>
#include <string>
#include <vector>

namespace hepar {

/// `hepar submission`: the staging file a CARE challenge wants, or the check of one.
///
/// 2024: Case,Task1_prob_S4,Task2_prob_S1. 2025: Case,Setting,Subtask1_prob_S4,Subtask2_prob_S1
/// with a row Contrast (all sequences) and a row NonContrast (T1, T2, DWI) a case. 2026:
/// Case,Modality Input,S1,S2,S3,S4 with the sequences that were used.
struct SubmissionConfig {
  std::string year = "2026";
  std::string scores;                 ///< CSV as of `hepar score`; no stage is needed
  std::string out;                    ///< CSV to write
  std::string check;                  ///< CSV to check instead
  std::string cases;                  ///< CSV of all cases; every one gets an answer
  std::string fit;                    ///< out-of-fold CSV, see recalibrate and the priors
  std::string setting = "Contrast";   ///< 2025, of scores that are per patient
  std::vector<std::string> modality;  ///< 2026, of scores that are per patient
  std::string recalibrate = "none";   ///< bend scores so that this cut, fitted on `fit`, is 0.5
  std::vector<double> train_prior;
  std::vector<std::string> non_contrast{"T1", "T2", "DWI_800"};
  FusionConfig fusion;
  void declare(ConfigSchema& schema);
};

/// What was written, and by which rules.
struct SubmissionSummary {
  std::size_t rows = 0, from_prior = 0;
  std::vector<std::string> notes;
};

/// The file's text. Scores of several seeds are averaged.
struct SubmissionText {
  std::string csv;
  SubmissionSummary summary;
};
SubmissionText submission_text(const SubmissionConfig& config);

/// Throws DataError listing every problem with line and column: another header, a missing, unknown
/// or repeated case, a value that is no probability, four that do not add up to 1, an unknown
/// setting or no modality. Returns the number of rows.
std::size_t check_submission(const SubmissionConfig& config, const std::string& file);

/// Writes atomically and checks what it wrote, or checks.
void run_submission_command(const SubmissionConfig& config, bool dry_run);

}  // namespace hepar
