#include "hepar/pipeline/score_command.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "hepar/core/error.h"
#include "hepar/core/files.h"
#include "hepar/core/log.h"
#include "hepar/core/text.h"
#include "hepar/core/version.h"
#include "staging/document_parts.h"
#include "staging/evidence.h"
#include "staging/numbers.h"

namespace hepar {
namespace {

detail::EvidenceRequest request_of(const ScoreConfig& config, const std::string& scores) {
  return {.table = {.scores = scores, .cases = config.cases},
          .fit = detail::read_fit_table(config.fit),
          .fusion = config.fusion,
          .train_prior = config.train_prior.empty()
                             ? std::nullopt
                             : std::optional(prior_of(config.train_prior, "train_prior"))};
}

StagingScoreOptions options_of(const ScoreConfig& config) {
  StagingScoreOptions options = config.options;
  options.sampler = prior_of(config.sampler_prior, "sampler_prior");
  return options;
}

Json comparisons_of(const ScoreConfig& config, const PatientTable& scored) {
  if (config.against.empty()) {
    return nullptr;
  }
  require<ConfigError>(
      config.fit.empty() || config.fusion.rule != "auc_weighted",
      "score: --against with --fit and fusion.rule=auc_weighted would weight other "
      "heads by this one; fuse them first (--fused)");
  std::vector<detail::LoadedEvidence> others;
  others.reserve(config.against.size());
  std::vector<NamedHead> heads{{fs::path(config.scores).stem().string(), &scored}};
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (const std::string& file : config.against) {
    others.emplace_back(request_of(config, file));
    pairs.emplace_back(0, heads.size());
    heads.push_back({fs::path(file).stem().string(), &others.back().scored()});
  }
  return to_json(compare_heads(heads, pairs, options_of(config).bootstrap));
}

std::string cell(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.17g", value);
  return text.data();
}

bool has_four(const PatientTable& table) {
  return std::all_of(table.scores.begin(), table.scores.end(), [](const auto& run) {
    return std::all_of(run.begin(), run.end(),
                       [](const StageScore& score) { return score.stages.has_value(); });
  });
}

std::vector<std::string> fused_row(const PatientTable& table, std::size_t run, std::size_t i,
                                   bool four) {
  const ScoredPatient& patient = table.patients[i];
  const StageScore& score = table.scores[run][i];
  std::vector<std::string> cells{detail::csv_cell(patient.id),
                                 std::to_string(patient.stage),
                                 cell(score.q4),
                                 cell(score.q1),
                                 std::to_string(table.seeds[run]),
                                 table.from_prior[i] ? "1" : "0"};
  if (four) {
    for (const double p : *score.stages) {
      cells.push_back(cell(p));
    }
  }
  if (table.has_domain) {
    cells.push_back(detail::csv_cell(patient.domain));
  }
  if (table.has_fold) {
    cells.push_back(std::to_string(*patient.fold));
  }
  return cells;
}

std::string fused_csv(const PatientTable& table) {
  const bool four = has_four(table);
  std::vector<std::string> lines{"case,stage,q4,q1,seed,from_prior"};
  lines[0] += four ? ",p1,p2,p3,p4" : "";
  lines[0] += table.has_domain ? ",domain" : "";
  lines[0] += table.has_fold ? ",fold" : "";
  for (std::size_t run = 0; run < table.seeds.size(); ++run) {
    for (std::size_t i = 0; i < table.patients.size(); ++i) {
      lines.push_back(join(fused_row(table, run, i, four), ","));
    }
  }
  return join(lines, "\n") + "\n";
}

Json document_of(const ScoreConfig& config, const detail::LoadedEvidence& loaded) {
  Json document = score_document(loaded.evidence(), options_of(config));
  document["comparisons"] = comparisons_of(config, loaded.scored());
  document["scores"] = config.scores;
  document["hepar"] = version();
  return document;
}

}  // namespace

void ScoreConfig::declare(ConfigSchema& schema) {
  schema.add(
      "scores", scores,
      "CSV: case,stage,q4,q1 and, if wanted, domain or vendor, seed, fold, sequence, p1..p4, "
      "call, fallback",
      {}, Effect::kNone);
  schema.add("out", out, "JSON file to write", {}, Effect::kNone);
  schema.add("cases", cases,
             "CSV of all patients (case and, if wanted, stage, domain or vendor, fold): those "
             "without a row in the scores get the training prior",
             {}, Effect::kNone);
  schema.add("fit", fit,
             "CSV of out-of-fold scores of other patients, on which cuts, weights and priors are "
             "fitted; without it the other folds",
             {}, Effect::kNone);
  schema.add("against", against, "CSVs of other heads, each compared with these scores", {},
             Effect::kNone);
  schema.add("fused", fused, "CSV to write: the fused scores, one row a patient and seed", {},
             Effect::kNone);
  schema.add("train_prior", train_prior,
             "Patients of S1,S2,S3,S4 in training (counts or shares); none: counted in the folds "
             "or the table of --fit",
             Range{.low = 0});
  schema.add("sampler_prior", sampler_prior, "What the sampler showed of S1,S2,S3,S4 in training",
             Range{.low = 0});
  schema.add("ood", options.ood, "Domains out of the training distribution");
  schema.add("contrast", options.contrast, "Sequences with contrast agent");
  schema.add("non_contrast", options.non_contrast, "Sequences without");
  schema.section("fusion", fusion);
  schema.add("bootstrap.draws", options.bootstrap.draws, "Draws of patients", Range{.low = 1});
  schema.add("bootstrap.seed", options.bootstrap.seed, "Seed of all draws", Range{.low = 0});
  schema.add("ece_bins", options.ece_bins, "Bins of equal mass", Range{.low = 1});
  schema.add("removal.draws", options.removal_draws, "Draws of sequences to remove",
             Range{.low = 1});
  schema.add("removal.most", options.most_removed, "Most sequences removed", Range{.low = 0});
}

Json score(const ScoreConfig& config) {
  return document_of(config, detail::LoadedEvidence(request_of(config, config.scores)));
}

void run_score_command(const ScoreConfig& config, bool dry_run) {
  require<ConfigError>(!config.scores.empty(), "score: --scores is missing");
  require<ConfigError>(!config.out.empty(), "score: --out is missing");
  const detail::LoadedEvidence loaded(request_of(config, config.scores));
  const std::string what = std::to_string(loaded.scored().patients.size()) + " patients, " +
                           std::to_string(loaded.scored().seeds.size()) + " seed(s)";
  if (dry_run) {
    static_cast<void>(options_of(config));  // throws on what cannot be a prior
    for (const std::string& file : config.against) {
      const detail::LoadedEvidence other(request_of(config, file));
    }
    log::print("score: would score " + what + " and write " + config.out);
    return;
  }
  make_writable_directory(fs::absolute(config.out).parent_path());
  const Json document = document_of(config, loaded);
  write_json(config.out, document);
  if (!config.fused.empty()) {
    write_atomically(config.fused, fused_csv(loaded.scored()));
  }
  log::print(detail::score_summary(document));
}

}  // namespace hepar
