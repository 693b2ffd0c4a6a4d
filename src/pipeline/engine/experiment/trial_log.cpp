#include "experiment/trial_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "hepar/core/error.h"

namespace hepar::detail {

TrialLog::TrialLog(const std::filesystem::path& file) {
  const int log = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  require<DataError>(log >= 0,
                     file.string() + ": the log cannot be opened: " + std::strerror(errno));
  std::fflush(nullptr);
  stdout_ = ::dup(STDOUT_FILENO);
  stderr_ = ::dup(STDERR_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::close(log);
}

TrialLog::~TrialLog() {
  std::fflush(nullptr);
  std::cout.flush();
  ::dup2(stdout_, STDOUT_FILENO);
  ::dup2(stderr_, STDERR_FILENO);
  ::close(stdout_);
  ::close(stderr_);
}

}  // namespace hepar::detail
