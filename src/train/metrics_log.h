#pragma once
#include <hepar/core/event_file.h>
#include <hepar/core/json.h>
#include <filesystem>

namespace hepar {

/// OUT/metrics.jsonl and, with the same values, OUT/tensorboard. Continued at `step`: lines of
/// later steps are dropped first, the run will write them again.
class MetricsLog {
 public:
  /// Throws DataError.
  MetricsLog(const std::filesystem::path& run_folder, std::int64_t step);

  /// Numbers of `record`, by name; "step" says where they belong. Lists give a curve an element.
  void append(const Json& record);

 private:
  JsonLines lines_;
  EventFile events_;
};

}  // namespace hepar
