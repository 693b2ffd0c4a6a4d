#pragma once
#include <hepar/core/json.h>
#include <hepar/pipeline/staging_scores.h>

#include <string>

namespace hepar::detail {

/// Each domain, ID, OOD, and mean ± sd over domains; null without domains.
Json groups_json(const StagingEvidence& evidence, const StagingScoreOptions& options);

/// What the numbers mean, for a reader of the file.
Json score_conventions(const StagingScoreOptions& options);

/// The table `hepar score` prints.
std::string score_summary(const Json& document);

}  // namespace hepar::detail
