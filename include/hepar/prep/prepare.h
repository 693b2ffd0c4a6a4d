#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "hepar/comm/communicator.h"
#include "hepar/core/config.h"

namespace hepar {

/// Which (case, sequence) pairs a consumer sees (`data.select`); an empty list takes all.
struct SampleSelection {
  std::vector<std::string> sequence = {};  ///< empty: the plan's channels
  std::vector<std::string> split = {};     ///< train, val, test_id, …
  std::vector<std::string> label = {};     ///< manual, pseudo, none: of the sample, not of its case
  std::vector<std::string> domain = {};

  void declare(ConfigSchema& schema);
};

/// `hepar-prep prepare`: a cohort + a plan -> a prepared set.
struct PrepareConfig {
  std::string data;  ///< the cohort
  std::string plan;  ///< plan.yaml; an external set takes the target's
  std::string out;
  std::string pseudo;  ///< pseudo-label set of this cohort: masks for images without a manual one
  SampleSelection select;
  bool exclude_bad = false;
  std::int64_t shard_mb = 256;
  std::int64_t threads =
      0;                 ///< a rank's threads; 0: the processors of the host shared by its ranks
  bool dry_run = false;  ///< the flag --dry-run

  void declare(ConfigSchema& schema);
};

/// Collective. Every selected sample goes through preprocess() and into OUT; resumable and
/// independent of the number of ranks and threads, as convert(). A plan with several channels makes
/// one sample a case (all its channels on one grid), a plan with one makes one a (case, sequence).
/// The cohort's labels become the plan's classes by name (liver = 6 -> 1), all others background;
/// `ignore` becomes the value above the classes. Throws AgreedError.
void prepare(const PrepareConfig& config, Communicator& ranks);

}  // namespace hepar
