#include "slurm/shell.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "hepar/core/error.h"
#include "hepar/core/text.h"

extern char** environ;  // NOLINT: POSIX names it

namespace hepar::detail {
std::string shell_quoted(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string("_-./=:,@%+").find(static_cast<char>(c)) != std::string::npos;
  });
  if (plain) {
    return word;
  }
  std::string quoted = "'";
  for (const char c : word) {
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return quoted + "'";
}

std::string shell_line(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  std::transform(words.begin(), words.end(), std::back_inserter(quoted), shell_quoted);
  return join(quoted, " ");
}

ProcessResult run_process(const std::vector<std::string>& words) {
  std::array<int, 2> pipe{};
  require(::pipe2(pipe.data(), O_CLOEXEC) == 0, words.front() + ": no pipe for its output");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
  std::vector<std::string> copy = words;
  std::vector<char*> raw;
  std::transform(copy.begin(), copy.end(), std::back_inserter(raw),
                 [](std::string& word) { return word.data(); });
  raw.push_back(nullptr);
  pid_t pid = 0;
  const int refused = ::posix_spawnp(&pid, raw.front(), &actions, nullptr, raw.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  ProcessResult result{.exit_code = kNotStarted, .output = ""};
  std::array<char, 4096> buffer{};
  ssize_t got = 0;
  while (refused == 0 && ((got = ::read(pipe[0], buffer.data(), buffer.size())) > 0 ||
                          (got < 0 && errno == EINTR))) {
    result.output.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  }
  ::close(pipe[0]);
  int status = 0;
  if (refused == 0 && ::waitpid(pid, &status, 0) == pid) {
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return result;
}

}  // namespace hepar::detail
