#pragma once
#include <string>
#include <vector>

namespace hepar::detail {

/// A word as a POSIX shell reads it back; bare when it needs no quotes.
std::string shell_quoted(const std::string& word);
std::string shell_line(const std::vector<std::string>& words);

inline constexpr int kNotStarted = 127;  ///< exit code of what is not there, as in shells

struct ProcessResult {
  int exit_code = 0;   ///< kNotStarted: it could not be started
  std::string output;  ///< stdout; stderr goes where ours goes
};

/// Runs a program (found in PATH when its name has no slash) and waits for it.
ProcessResult run_process(const std::vector<std::string>& words);

}  // namespace hepar::detail
