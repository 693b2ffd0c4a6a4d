#pragma once
#include <hepar/core/json.h>
#include <hepar/io/lineage.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hepar {

/// One predicted mask and the case it is of.
struct PredictedCase {
  std::string name;  ///< of the file, without extension
  CaseIdentity identity;
};

/// The masks that the same models (averaged) gave.
struct PredictionGroup {
  std::vector<std::string> models;  ///< xxh64 of their weights
  std::vector<PredictedCase> cases;
  Lineage lineage;  ///< of the models, and of what their masks were post-processed by
};

/// PREDICTIONS/lineage.json: {"format": 1, "groups": […]}. Empty when the folder has none. Throws
/// DataError naming file and field.
std::vector<PredictionGroup> read_prediction_lineage(const std::filesystem::path& folder);

/// Adds groups to those the folder has; a case given again keeps its place, with what is newly
/// known of it. Throws ConfigError, cases named, when one of them was predicted by other models.
void add_prediction_lineage(const std::filesystem::path& folder,
                            const std::vector<PredictionGroup>& groups);

/// {"known": n, "transductive": n, "of": N} for the masks that are scored: how many of them the
/// folder says the origin of, and how many of these its models saw as image. Throws ConfigError
/// (exit 2), all cases named, when a mask of a scored case went into a model (PROTOCOL §2).
Json check_prediction_lineage(const std::filesystem::path& folder,
                              const std::vector<std::string>& scored);

}  // namespace hepar
