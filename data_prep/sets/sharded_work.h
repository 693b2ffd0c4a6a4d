#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "hepar/comm/communicator.h"
#include "hepar/core/files.h"
#include "hepar/core/json.h"
#include "hepar/core/progress.h"
#include "sources/source.h"

namespace hepar {

/// Items of one shard, fixed before any is read.
struct ShardTask {
  std::vector<std::size_t> items;  ///< indices into the caller's sorted list
  std::string inputs;  ///< hash of all that goes in: a finished shard is reused only when equal
};

/// Deals items to shards in their order: a shard is closed when the next item would take it past
/// `limit` bytes. Depends on nothing but the sizes. `inputs` is left empty.
std::vector<ShardTask> deal_to_shards(const std::vector<std::int64_t>& bytes, std::int64_t limit);

/// What came out of one shard.
struct ShardResult {
  Json records = Json::array();   ///< one a written item, in order
  std::vector<Problem> problems;  ///< items that could not be used
};

/// A set in the making: OUT.partial/{shards/, records/} until everything is there, then OUT.
class SetBuilder {
 public:
  struct Options {
    fs::path out;
    std::string verb;          ///< "convert", for messages
    bool exclude_bad = false;  ///< keep shards with problems, their items left out
  };
  /// Work of one shard: writes partial()/shards/… under its final name and calls `progress` an
  /// item.
  using Work = std::function<ShardResult(std::size_t shard, Progress& progress)>;

  SetBuilder(Options options, Communicator& ranks);

  [[nodiscard]] fs::path partial() const;

  /// Collective. True when OUT is already there and was made from these inputs. Throws AgreedError
  /// (exit 2) when OUT holds something else; makes OUT.partial otherwise.
  bool already_done(const std::vector<ShardTask>& tasks);

  /// Collective. Shard s is rank s mod size's; shards finished earlier with the same inputs are not
  /// redone. Results of all shards, by number, on every rank. Throws AgreedError when a rank fails
  /// (a full disk): OUT.partial stays, a later call continues.
  std::vector<ShardResult> run(const std::vector<ShardTask>& tasks, const Work& work);

  /// Collective. `write` (rank 0) writes the index into partial(); then checksums of all files, and
  /// the rename to OUT.
  void publish(const std::vector<ShardTask>& tasks, const std::function<void()>& write);

 private:
  struct Finished;
  [[nodiscard]] bool load(std::size_t shard, const ShardTask& task, ShardResult& result) const;
  void save(std::size_t shard, const ShardTask& task, const ShardResult& result) const;
  [[nodiscard]] fs::path record_path(std::size_t shard) const;
  [[nodiscard]] fs::path shard_path(std::size_t shard) const;
  void remove_strays(std::size_t shards) const;

  Options options_;
  Communicator& ranks_;
};

/// Throws AgreedError (exit 3) that lists all problems in order; nothing when there is none.
void refuse_problems(const SetBuilder::Options& options, std::vector<Problem> problems,
                     std::size_t of_items);

/// SET/checksums.json: xxh64 of every file of a finished set, by its path relative to the set, and
/// the hash of what it was made from.
struct Checksums {
  std::string inputs;
  std::map<std::string, std::string> files;
};
/// Throws DataError when the file is damaged itself.
Checksums read_checksums(const fs::path& set);

/// "size:mtime" of a file, or "missing": notices a changed input without reading it.
std::string stamp_of(const fs::path& path);

}  // namespace hepar
