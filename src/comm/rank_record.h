#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace hepar {

/// What a rank says of itself in FOLDER/RANK.json.
struct RankRecord {
  int rank = 0;
  std::string host;
  std::int64_t beat = 0;       ///< how often it was rewritten
  std::uint64_t progress = 0;  ///< grows with calls, pieces of messages and phases
  std::uint32_t sequence = 0;  ///< of the last collective
  std::string call;            ///< that it waits in; empty: it works
  int peer = -1;               ///< whom it waits for; −1: all
  std::string phase;

  [[nodiscard]] bool waits() const { return !call.empty(); }
  /// "rank 1 on node7".
  [[nodiscard]] std::string who() const;
  /// "in call 12: barrier() (step 3)" or "at work (saving)".
  [[nodiscard]] std::string where() const;
};

std::filesystem::path record_path(const std::filesystem::path& folder, int rank);

/// Rewrites the file in place: readers on a network file system look at an open file's new content
/// at once, at a renamed file only when their cache of the folder has aged. False where it cannot
/// be written. `create`: make it, else it must be there.
bool write_record(const std::filesystem::path& folder, const RankRecord& record, bool create);

/// Empty when there is none, or it is just being rewritten.
std::optional<RankRecord> read_record(const std::filesystem::path& folder, int rank);

}  // namespace hepar
