#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "hepar/comm/communicator.h"
#include "hepar/core/config.h"

namespace hepar {

/// `hepar-prep convert`: files of one source -> a cohort (manifest.json and shards).
struct ConvertConfig {
  std::string source;  ///< a name of known_sources()
  std::string in;      ///< the source's folder; for `table` the CSV file
  std::string out;     ///< the cohort's folder
  std::string labels;  ///< CSV with columns case, stage
  std::string masks;   ///< folder with masks the source's own folders lack
  std::string cases;   ///< text file with the ids to take, one a line
  std::vector<std::string> classes{"background", "liver"};  ///< label names of the source `table`
  bool ct = false;  ///< take CT too, of the sources that hold CT and MR (chaos, amos)
  std::vector<std::string> allow_equal;  ///< ids whose images may equal another listed id's
  std::vector<std::string> against;      ///< cohorts that must share no case and no image
  bool exclude_bad = false;
  std::int64_t shard_mb = 256;
  bool dry_run = false;  ///< list and describe, read no voxel, write nothing (the flag --dry-run)

  void declare(ConfigSchema& schema);
};

/// Names that --source takes, sorted.
std::vector<std::string> known_sources();

/// Collective. Reads and checks every case, writes OUT.partial/ (a later call continues there) and
/// renames it to OUT when every case passed; manifest and shards are the same bytes for any number
/// of ranks. An OUT made from the same input is left as it is. Throws AgreedError: exit 3 with all
/// bad cases, sorted; exit 2 when OUT holds something else.
void convert(const ConvertConfig& config, Communicator& ranks);

}  // namespace hepar
