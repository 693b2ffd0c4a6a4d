#pragma once
#include <hepar/core/config.h>
#include <hepar/pipeline/fingerprint.h>
#include <hepar/plan/plan.h>
#include <cstdint>
#include <string>
#include <vector>

namespace hepar {

/// `hepar plan`: from a cohort (data) or from numbers alone (spacing, shape, cases, classes).
struct PlanCommandConfig {
  std::string data;         ///< cohort folder
  std::string out;          ///< plan.yaml
  std::string fingerprint;  ///< where to write the fingerprint as JSON; empty: nowhere
  std::string preset = "plain";
  CaseSelection select{{}, {"train"}, {}, {}};
  std::vector<std::string> channels;  ///< sequences that form one sample; empty: each is its own

  std::vector<double> spacing;      ///< mm, canonical (z, y, x)
  std::vector<std::int64_t> shape;  ///< median, voxels at `spacing`
  std::int64_t cases = 0;
  std::int64_t classes = 0;  ///< with the background

  std::vector<double>
      target_spacing;  ///< mm, canonical (z, y, x); empty: by the rule, as are the following
  std::vector<std::int64_t> patch;  ///< voxels, the plan's axis order
  std::int64_t batch = 0;
  std::int64_t base_features = 0;
  std::int64_t max_features = 0;

  std::uint64_t seed = 1234;
  std::int64_t threads = 0;  ///< 0: all processors
  void declare(ConfigSchema& schema);
};

/// The plan that the configuration asks for; reads the cohort but writes nothing. `fingerprint`,
/// when not null, receives what was measured (empty when planning from numbers). Throws ConfigError
/// and DataError.
Plan plan_for(const PlanCommandConfig& config, Fingerprint* fingerprint = nullptr);

/// Plans, prints every value with its reason, and writes config.out (and config.fingerprint) unless
/// dry_run.
void run_plan_command(const PlanCommandConfig& config, bool dry_run);

}  // namespace hepar
