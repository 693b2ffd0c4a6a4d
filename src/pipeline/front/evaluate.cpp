#include <hepar/pipeline/evaluate.h>

#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/core/log.h>
#include <hepar/core/parallel.h>
#include <hepar/core/progress.h>
#include <hepar/core/text.h>
#include <hepar/core/version.h>
#include <hepar/image/nifti.h>
#include <hepar/pipeline/postprocess.h>
#include <hepar/pipeline/prediction_lineage.h>

#include <map>
#include <optional>
#include <set>

#include "case_scores.h"
#include "mask_pairs.h"

namespace hepar {
namespace {

int threads_of(const EvaluateConfig& config) {
  return config.threads == 0 ? usable_processors() : static_cast<int>(config.threads);
}

std::vector<std::int64_t> labels_of(const EvaluateConfig& config,
                                    const std::vector<detail::CaseScores>& cases) {
  std::set<std::int64_t> labels(config.labels.begin(), config.labels.end());
  for (const detail::CaseScores& scores : cases) {
    for (const auto& entry : scores.raw) {
      labels.insert(entry.first);
    }
  }
  if (labels.empty()) {
    labels.insert(1);  // every mask is empty: the one foreground there could have been
  }
  return {labels.begin(), labels.end()};
}

// Names and headers only.
void check_headers(const EvaluateConfig& config) {
  detail::MaskPairing pairing = detail::pair_masks(config.pred, config.ref);
  detail::for_each_pair(pairing, threads_of(config), [&](std::size_t i) {
    const detail::MaskPair& pair = pairing.pairs[i];
    detail::check_grids(pair, read_nifti_header(pair.prediction).grid,
                        read_nifti_header(pair.reference).grid);
  });
  detail::refuse_problems(pairing, "evaluate");
  log::print("evaluate: would score " + std::to_string(pairing.pairs.size()) +
             " pair(s) and write " + config.out);
}

/// Refuses cases that an ancestor of their predictions, or of the rule, was fitted on.
Json check_lineage(const EvaluateConfig& config, const detail::MaskPairing& pairing,
                   const std::optional<PostprocessRule>& rule) {
  std::vector<std::string> names;
  for (const detail::MaskPair& pair : pairing.pairs) {
    names.push_back(pair.id);
  }
  Json found = check_prediction_lineage(config.pred, names);
  if (rule) {
    std::map<std::string, CaseIdentity> known;
    for (const PredictionGroup& group : read_prediction_lineage(config.pred)) {
      for (const PredictedCase& item : group.cases) {
        known[item.name] = item.identity;
      }
    }
    std::vector<std::string> seen;
    for (const std::string& name : names) {
      CaseIdentity identity{.cohort = "", .case_id = name, .images = {}};
      if (known.contains(name)) {
        identity = known[name];
      }
      if (rule->lineage.uses(identity, CaseUse::kMask)) {
        seen.push_back(name);
      }
    }
    require<ConfigError>(seen.empty(), config.postprocessing + ": was fitted on " +
                                           std::to_string(seen.size()) +
                                           " of the scored cases: " + join(seen, ", "));
  }
  return found;
}

}  // namespace

void EvaluateConfig::declare(ConfigSchema& schema) {
  schema.add("pred", pred, "Folder of predicted masks (NIfTI)", {}, Effect::kNone);
  schema.add("ref", ref, "Folder of reference masks (NIfTI), same file names", {}, Effect::kNone);
  schema.add("out", out, "JSON file to write", {}, Effect::kNone);
  schema.add("labels", labels,
             "Labels to score, all others being background; empty: all that occur",
             Range{.low = 1, .high = 32767});
  schema.add("largest_component", largest_component,
             "Score also with only the largest 26-connected component of each predicted label");
  schema.add("postprocessing", postprocessing,
             "postprocessing.json (hepar postprocess): score also after its steps", {},
             Effect::kNone);
  schema.add("threads", threads, "Cases scored side by side; 0: all processors", Range{.low = 0},
             Effect::kNone);
}

Json evaluate_folders(const EvaluateConfig& config) {
  std::optional<PostprocessRule> rule;
  if (!config.postprocessing.empty()) {
    rule = read_postprocess_rule(config.postprocessing);
  }
  detail::MaskPairing pairing = detail::pair_masks(config.pred, config.ref);
  const Json lineage = check_lineage(config, pairing, rule);
  std::vector<detail::CaseScores> cases(pairing.pairs.size());
  detail::ScoreRequest request{.id = "",
                               .labels = config.labels,
                               .largest_component = config.largest_component,
                               .rule = rule ? &*rule : nullptr};
  Progress progress("evaluate", static_cast<std::int64_t>(cases.size()));
  detail::for_each_pair(pairing, threads_of(config), [&](std::size_t i) {
    const detail::LoadedPair pair = detail::load_pair(pairing.pairs[i]);
    detail::ScoreRequest own = request;
    own.id = pairing.pairs[i].id;
    cases[i] = detail::score_case(pair.prediction, pair.reference, own);
    progress.advance();
  });
  detail::refuse_problems(pairing, "evaluate");
  request.labels = labels_of(config, cases);
  detail::complete_labels(cases, request);
  Json document = detail::document_of(cases);
  document["labels"] = request.labels;
  document["lineage"] = lineage;
  document["pred"] = config.pred;
  document["ref"] = config.ref;
  document["hepar"] = version();
  return document;
}

void evaluate(const EvaluateConfig& config, bool dry_run) {
  const std::vector<std::pair<const char*, const std::string*>> paths{
      {"pred", &config.pred}, {"ref", &config.ref}, {"out", &config.out}};
  for (const auto& [name, value] : paths) {
    require<ConfigError>(!value->empty(), std::string("evaluate: --") + name + " is missing");
  }
  if (dry_run) {
    check_headers(config);
    return;
  }
  const fs::path folder = fs::absolute(config.out).parent_path();
  make_writable_directory(folder);
  const Json document = evaluate_folders(config);
  write_json(config.out, document);
  log::print(detail::table_of(document));
  const Json& lineage = document["lineage"];
  if (lineage["known"].get<std::size_t>() > 0) {
    log::print("transductive: " + lineage["transductive"].dump() + " of " + lineage["of"].dump());
  } else {
    log::print("lineage: " + config.pred + " does not say what its masks were made from");
  }
}

}  // namespace hepar
