#pragma once
#include <filesystem>

namespace hepar::detail {

/// While it lives, what this process prints (stdout and stderr) is appended to a file.
class TrialLog {
 public:
  /// Throws DataError when the file cannot be opened.
  explicit TrialLog(const std::filesystem::path& file);
  ~TrialLog();
  TrialLog(const TrialLog&) = delete;
  TrialLog& operator=(const TrialLog&) = delete;
  TrialLog(TrialLog&&) = delete;
  TrialLog& operator=(TrialLog&&) = delete;

 private:
  int stdout_ = -1, stderr_ = -1;  ///< the descriptors' own targets, kept aside
};

}  // namespace hepar::detail
