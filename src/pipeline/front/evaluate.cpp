#include <hepar/pipeline/evaluate.h>

#include <hepar/core/error.h>
#include <hepar/core/files.h>
#include <hepar/core/log.h>
#include <hepar/core/parallel.h>
#include <hepar/core/progress.h>
#include <hepar/core/text.h>
#include <hepar/core/version.h>
#include <hepar/image/nifti.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <map>
#include <set>

#include "case_scores.h"

namespace hepar {
namespace {

using Files = std::map<std::string, fs::path>;

struct CasePair {
  std::string id;
  fs::path prediction, reference;
};

struct Pairing {
  std::vector<CasePair> pairs;
  std::vector<std::string> problems;
};

// The NIfTI files of a folder by case id.
Files files_of(const std::string& folder, std::vector<std::string>& problems) {
  require<DataError>(fs::is_directory(folder), folder + ": wanted a folder of NIfTI masks, found " +
                                                   (fs::exists(folder) ? "a file" : "nothing"));
  Files files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string id = nifti_stem(entry.path());
    // The .img beside a .hdr belongs to it and is no case of its own.
    const std::string name = entry.path().filename().string();
    const bool payload = name.ends_with(".img") || name.ends_with(".img.gz");
    if (id.empty() || payload || !entry.is_regular_file()) {
      continue;
    }
    const auto [known, added] = files.emplace(id, entry.path());
    if (!added) {
      const std::string other = known->second.filename().string();
      problems.push_back(folder + ": case " + id + ": wanted one file, found " +
                         std::min(name, other) + " and " + std::max(name, other));
    }
  }
  require<DataError>(!files.empty(),
                     folder + ": wanted NIfTI masks (.nii, .nii.gz, .hdr), found none");
  return files;
}

Pairing pair_up(const EvaluateConfig& config) {
  Pairing result;
  const Files predictions = files_of(config.pred, result.problems);
  const Files references = files_of(config.ref, result.problems);
  for (const auto& [id, path] : references) {
    const auto found = predictions.find(id);
    if (found == predictions.end()) {
      result.problems.push_back("case " + id + ": no prediction in " + config.pred + " for " +
                                path.string());
    } else {
      result.pairs.push_back({id, found->second, path});
    }
  }
  for (const auto& [id, path] : predictions) {
    if (!references.contains(id)) {
      result.problems.push_back("case " + id + ": no reference in " + config.ref + " for " +
                                path.string());
    }
  }
  return result;
}

[[noreturn]] void refuse(std::vector<std::string> problems, std::size_t cases) {
  std::sort(problems.begin(), problems.end());
  throw DataError("evaluate: " + std::to_string(problems.size()) + " problem(s) in " +
                  std::to_string(cases) + " pair(s) of cases, nothing written:\n  " +
                  join(problems, "\n  "));
}

std::string text(const Grid& grid) {
  const auto number = [](double value) {
    std::string digits = std::to_string(value);
    return digits.substr(0, digits.find('.') + 4);
  };
  return std::to_string(grid.size.z) + "x" + std::to_string(grid.size.y) + "x" +
         std::to_string(grid.size.x) + " voxels of " + number(grid.spacing.z) + "x" +
         number(grid.spacing.y) + "x" + number(grid.spacing.x) + " mm from (" +
         number(grid.origin.r) + ", " + number(grid.origin.a) + ", " + number(grid.origin.s) + ")";
}

void check_grids(const CasePair& pair, const Grid& prediction, const Grid& reference) {
  require<DataError>(same_grid(reference, prediction),
                     pair.prediction.string() + ": wanted the reference's grid, " +
                         text(reference) + ", found " + text(prediction) +
                         "; write predictions on the grid of the image they were made for");
}

void check_labels(const LabelImage& image, const fs::path& path) {
  const auto lowest = std::min_element(image.voxels.begin(), image.voxels.end());
  require<DataError>(lowest == image.voxels.end() || *lowest >= 0,
                     path.string() + ": wanted labels of 0 and above, found " +
                         std::to_string(lowest == image.voxels.end() ? 0 : *lowest));
}

// Runs `check` for every pair and collects what each of them throws.
template <class Check>
void for_each_pair(const Pairing& pairing, std::vector<std::string>& problems, int threads,
                   Check&& check) {
  std::vector<std::string> found(pairing.pairs.size());
  parallel_for(static_cast<std::int64_t>(pairing.pairs.size()), threads, [&](std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    try {
      check(index);
    } catch (const DataError& e) {
      found[index] = "case " + pairing.pairs[index].id + ": " + e.what();
    }
  });
  std::copy_if(found.begin(), found.end(), std::back_inserter(problems),
               [](const std::string& problem) { return !problem.empty(); });
}

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
  Pairing pairing = pair_up(config);
  for_each_pair(pairing, pairing.problems, threads_of(config), [&](std::size_t i) {
    const CasePair& pair = pairing.pairs[i];
    check_grids(pair, read_nifti_header(pair.prediction).grid,
                read_nifti_header(pair.reference).grid);
  });
  if (!pairing.problems.empty()) {
    refuse(pairing.problems, pairing.pairs.size());
  }
  log::print("evaluate: would score " + std::to_string(pairing.pairs.size()) +
             " pair(s) and write " + config.out);
}

detail::CaseScores score_pair(const CasePair& pair, const EvaluateConfig& config) {
  const LabelImage prediction = to_labels(read_nifti(pair.prediction), pair.prediction.string());
  const LabelImage reference = to_labels(read_nifti(pair.reference), pair.reference.string());
  check_grids(pair, prediction.grid, reference.grid);
  check_labels(prediction, pair.prediction);
  check_labels(reference, pair.reference);
  return detail::score_case(
      prediction, reference,
      {.id = pair.id, .labels = config.labels, .largest_component = config.largest_component});
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
  schema.add("threads", threads, "Cases scored side by side; 0: all processors", Range{.low = 0},
             Effect::kNone);
}

Json evaluate_folders(const EvaluateConfig& config) {
  Pairing pairing = pair_up(config);
  std::vector<detail::CaseScores> cases(pairing.pairs.size());
  Progress progress("evaluate", static_cast<std::int64_t>(cases.size()));
  for_each_pair(pairing, pairing.problems, threads_of(config), [&](std::size_t i) {
    cases[i] = score_pair(pairing.pairs[i], config);
    progress.advance();
  });
  if (!pairing.problems.empty()) {
    refuse(pairing.problems, pairing.pairs.size());
  }
  const std::vector<std::int64_t> labels = labels_of(config, cases);
  detail::complete_labels(
      cases, {.id = "", .labels = labels, .largest_component = config.largest_component});
  Json document = detail::document_of(cases);
  document["labels"] = labels;
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
}

}  // namespace hepar
