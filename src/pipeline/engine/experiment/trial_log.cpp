#include "experiment/trial_log.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "hepar/core/descriptor.h"
#include "hepar/core/error.h"

namespace hepar::detail {

TrialLog::TrialLog(const std::filesystem::path& file) {
  const Descriptor log(file, O_WRONLY | O_CREAT | O_APPEND);
  require<DataError>(log.is_open(),
                     file.string() + ": the log cannot be opened: " + std::strerror(errno));
  std::fflush(nullptr);
  stdout_ = ::dup(STDOUT_FILENO);
  stderr_ = ::dup(STDERR_FILENO);
  ::dup2(log.get(), STDOUT_FILENO);
  ::dup2(log.get(), STDERR_FILENO);
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
