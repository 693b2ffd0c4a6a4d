#include "hepar/pipeline/submission.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/pipeline/cuts.h"
#include "staging/evidence.h"
#include "staging/numbers.h"
#include "staging/submission_formats.h"

namespace hepar {
namespace {

using detail::LoadedEvidence;

/// The challenges write DWI for DWI_800, and list sequences in this order.
const std::array<std::pair<const char*, const char*>, 7>& modality_names() {
  static constexpr std::array<std::pair<const char*, const char*>, 7> kNames{{{"DWI_800", "DWI"},
                                                                              {"T1", "T1"},
                                                                              {"T2", "T2"},
                                                                              {"GED1", "GED1"},
                                                                              {"GED2", "GED2"},
                                                                              {"GED3", "GED3"},
                                                                              {"GED4", "GED4"}}};
  return kNames;
}

std::string modalities_text(std::vector<std::string> sequences) {
  std::vector<std::string> names;
  for (const auto& [ours, theirs] : modality_names()) {
    if (std::erase(sequences, ours) > 0) {
      names.emplace_back(theirs);
    }
  }
  names.insert(names.end(), sequences.begin(), sequences.end());
  return join(names, ", ");
}

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9f", value);
  return text.data();
}

/// Writes a challenge's rows from loaded scores.
class Writer {
 public:
  explicit Writer(const SubmissionConfig& config) : config_(config) {
    text_.csv = detail::submission_header(config.year) + "\n";
  }

  SubmissionText write() {
    if (config_.year == "2025") {
      write_settings();
    } else {
      const LoadedEvidence loaded = load(config_.fusion);
      each_patient(loaded, [&](std::size_t i) {
        add_row(loaded, i, config_.year == "2024" ? two_columns(loaded, i) : four(loaded, i));
      });
    }
    tell_rules();
    return std::move(text_);
  }

 private:
  using Cells = std::vector<std::string>;

  [[nodiscard]] LoadedEvidence load(const FusionConfig& fusion) const {
    detail::EvidenceRequest request;
    request.table.scores = config_.scores;
    request.table.cases = config_.cases;
    request.table.require_stage = false;
    request.fit = detail::read_fit_table(config_.fit);
    request.fusion = fusion;
    if (!config_.train_prior.empty()) {
      request.train_prior = prior_of(config_.train_prior, "train_prior");
    }
    return LoadedEvidence(request);
  }

  void write_settings() {
    const LoadedEvidence contrast = load(config_.fusion);
    if (!contrast.views().per_sequence) {
      write_setting(contrast, config_.setting);
      return;
    }
    write_setting(contrast, "Contrast");
    FusionConfig fusion = config_.fusion;
    fusion.sequences.clear();
    const std::vector<std::string> known = contrast.views().sequences();
    std::copy_if(config_.non_contrast.begin(), config_.non_contrast.end(),
                 std::back_inserter(fusion.sequences), [&](const std::string& name) {
                   return std::find(known.begin(), known.end(), name) != known.end();
                 });
    require<DataError>(!fusion.sequences.empty(),
                       config_.scores + ": wanted a sequence for the setting NonContrast (" +
                           join(config_.non_contrast, ", ") + "), found " + join(known, ", "));
    write_setting(load(fusion), "NonContrast");
  }

  void write_setting(const LoadedEvidence& loaded, const std::string& setting) {
    each_patient(loaded, [&](std::size_t i) {
      Cells cells = two_columns(loaded, i);
      cells.insert(cells.begin(), setting);
      add_row(loaded, i, cells);
    });
  }

  template <class Row>
  void each_patient(const LoadedEvidence& loaded, const Row& row) {
    seeds_ = loaded.scored().seeds.size();
    fit(loaded);
    for (std::size_t i = 0; i < loaded.scored().patients.size(); ++i) {
      row(i);
    }
  }

  void add_row(const LoadedEvidence& loaded, std::size_t i, const Cells& cells) {
    text_.csv += detail::csv_cell(loaded.scored().patients[i].id) + "," + join(cells, ",") + "\n";
    ++text_.summary.rows;
    text_.summary.from_prior += loaded.scored().from_prior[i] ? 1 : 0;
  }

  struct RunCuts {
    FittedCuts q4, q1;
  };

  void fit(const LoadedEvidence& loaded) {
    cuts_.clear();
    if (config_.recalibrate == "none") {
      return;
    }
    const StagingEvidence evidence = loaded.evidence();
    const CutRule rule =
        config_.recalibrate == "youden" ? CutRule::kYouden : CutRule::kSensitivity90;
    const auto cuts = [&](StagingTask task, std::size_t run) {
      FittedCuts fitted = fit_cuts(evidence.scored, evidence.plan, evidence.source,
                                   {.task = task, .rule = rule, .run = run});
      require<DataError>(fitted.by_group.front().second.has_value(),
                         config_.fit + ": lacks a class or its scores are all equal; no cut of " +
                             name_of(task) + " can be fitted");
      return fitted;
    };
    for (std::size_t run = 0; run < evidence.scored.seeds.size(); ++run) {
      cuts_.push_back({cuts(StagingTask::kCirrhosis, run), cuts(StagingTask::kOfficialS1, run)});
    }
  }

  /// Of one run, bent so that the fitted cuts of its questions are at 0.5.
  StageScore final_score(const LoadedEvidence& loaded, std::size_t run, std::size_t i) const {
    const StageScore& score = loaded.scored().scores[run][i];
    return cuts_.empty()
               ? score
               : recalibrated(score, *cuts_[run].q4.of_patient[i], *cuts_[run].q1.of_patient[i]);
  }

  Cells two_columns(const LoadedEvidence& loaded, std::size_t i) const {
    double q4 = 0;
    double q1 = 0;
    const auto n = static_cast<double>(loaded.scored().seeds.size());
    for (std::size_t run = 0; run < loaded.scored().seeds.size(); ++run) {
      const StageScore score = final_score(loaded, run, i);
      q4 += score.q4 / n;
      q1 += score.q1 / n;
    }
    return {number(q4), number(q1)};
  }

  Cells four(const LoadedEvidence& loaded, std::size_t i) {
    StageProbabilities mean{};
    const auto n = static_cast<double>(loaded.scored().seeds.size());
    for (std::size_t run = 0; run < loaded.scored().seeds.size(); ++run) {
      const FourColumns columns =
          four_columns(final_score(loaded, run, i), loaded.evidence().fit.priors[i]);
      by_rule_ += columns.by_rule && run == 0 ? 1 : 0;
      overflowed_ += columns.overflowed && run == 0 ? 1 : 0;
      without_prior_ = without_prior_ || (columns.by_rule && !loaded.evidence().fit.priors[i]);
      for (std::size_t s = 0; s < kStages; ++s) {
        mean[s] += columns.stages[s] / n;
      }
    }
    Cells cells{detail::csv_cell(modalities(loaded, i))};
    for (const double p : mean) {
      cells.push_back(number(p));
    }
    return cells;
  }

  std::string modalities(const LoadedEvidence& loaded, std::size_t i) const {
    std::vector<std::string> used = config_.modality;
    if (loaded.views().per_sequence) {
      used.clear();
      for (const auto& [name, score] : loaded.views().views.front()[i]) {
        const auto& kept = config_.fusion.sequences;
        if (kept.empty() || std::find(kept.begin(), kept.end(), name) != kept.end()) {
          used.push_back(name);
        }
      }
      used = used.empty() ? loaded.views().sequences() : used;
    }
    require<ConfigError>(!used.empty(),
                         "submission: scores per patient do not say which sequences were used; "
                         "give --modality DWI_800,T1,T2,...");
    return modalities_text(used);
  }

  void tell_rules() {
    std::vector<std::string>& notes = text_.summary.notes;
    if (by_rule_ > 0) {
      notes.push_back(
          std::to_string(by_rule_) +
          " case(s): the head has no four probabilities; S1 = q1, S4 = q4, the rest "
          "shared between S2 and S3 " +
          (without_prior_ ? "equally (no training prior given)" : "by the training prior"));
    }
    if (overflowed_ > 0) {
      notes.push_back(std::to_string(overflowed_) +
                      " case(s) with q1 + q4 > 1: both scaled to a sum of 1, S2 = S3 = 0");
    }
    if (text_.summary.from_prior > 0) {
      notes.push_back(std::to_string(text_.summary.from_prior) +
                      " row(s) without a sequence: the training prior");
    }
    if (seeds_ > 1) {
      notes.push_back("mean over " + std::to_string(seeds_) + " seeds");
    }
    if (config_.recalibrate != "none") {
      notes.push_back("recalibrated: the " + config_.recalibrate + " cut of " + config_.fit +
                      " is at 0.5");
    }
  }

  const SubmissionConfig& config_;
  SubmissionText text_;
  std::vector<RunCuts> cuts_;
  std::size_t by_rule_ = 0, overflowed_ = 0, seeds_ = 1;
  bool without_prior_ = false;
};

void check_config(const SubmissionConfig& config) {
  require<ConfigError>(config.check.empty() != config.scores.empty(),
                       "submission: give either --scores FILE and --out FILE, or --check FILE");
  require<ConfigError>(config.scores.empty() || !config.out.empty(),
                       "submission: --out is missing");
  require<ConfigError>(config.recalibrate == "none" || !config.fit.empty(),
                       "submission: --recalibrate needs --fit, the out-of-fold scores to fit on");
}

}  // namespace

void SubmissionConfig::declare(ConfigSchema& schema) {
  schema.add_choice("year", year, {"2024", "2025", "2026"}, "The CARE challenge");
  schema.add("scores", scores, "CSV as of hepar score; stages are not needed", {}, Effect::kNone);
  schema.add("out", out, "CSV to write (LiFS_pred.csv)", {}, Effect::kNone);
  schema.add("check", check, "Check this CSV instead of writing one", {}, Effect::kNone);
  schema.add("cases", cases, "CSV with a column case: every one must get an answer", {},
             Effect::kNone);
  schema.add("fit", fit, "CSV of out-of-fold scores of the training cases", {}, Effect::kNone);
  schema.add_choice("setting", setting, {"Contrast", "NonContrast"},
                    "2025, scores per patient: their setting");
  schema.add("modality", modality, "2026, scores per patient: the sequences they were made from");
  schema.add_choice("recalibrate", recalibrate, {"none", "youden", "sensitivity_90"},
                    "Bend the scores so that this cut, fitted on --fit, is at 0.5");
  schema.add("train_prior", train_prior,
             "Patients of S1,S2,S3,S4 in training; none: those of --fit", Range{.low = 0});
  schema.add("non_contrast", non_contrast, "2025: sequences of the setting NonContrast");
  schema.section("fusion", fusion);
}

SubmissionText submission_text(const SubmissionConfig& config) {
  check_config(config);
  return Writer(config).write();
}

void run_submission_command(const SubmissionConfig& config, bool dry_run) {
  check_config(config);
  if (!config.check.empty()) {
    const std::size_t rows = check_submission(config, config.check);
    log::print(config.check + ": " + std::to_string(rows) + " rows as CARE " + config.year +
               " wants them");
    return;
  }
  const SubmissionText text = submission_text(config);
  if (!dry_run) {
    const fs::path folder = fs::absolute(config.out).parent_path();
    make_writable_directory(folder);
    write_atomically(config.out, text.csv);
    check_submission(config, config.out);
  }
  log::print(config.out + ": " + (dry_run ? "would have " : "") +
             std::to_string(text.summary.rows) + " rows for CARE " + config.year);
  for (const std::string& note : text.summary.notes) {
    log::print("  " + note);
  }
}

}  // namespace hepar
