#pragma once
#include <hepar/core/json.h>
#include <hepar/train/train_config.h>
#include <filesystem>
#include <string>

namespace hepar {

/// What must be equal for a run to be continued, and what should be.
struct RunSettings {
  Json config;  ///< keys that affect the result and are not at their default
  std::string plan_hash, data_hash;
  std::string code_version;
  std::string reduction;
  std::int64_t shards = 1;
  std::int64_t threads = 1;
  std::string cpu;  ///< instruction set Torch uses
};

Json to_json(const RunSettings& settings);

/// Throws ConfigError when config, plan or data differ from those of the state found in a
/// checkpoint; warns when the bits may differ (threads, instruction set, code version).
void check_continues(const RunSettings& now, const Json& state, const std::string& where);

/// Drops the metric lines of steps after `step`, which the continued run will write again.
void trim_metrics(const std::filesystem::path& file, std::int64_t step);

}  // namespace hepar
