#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/core/error.h>

#include <string>
#include <utility>

namespace hepar {

/// Runs `work` on every rank (it may do nothing on some) and lets all ranks leave by one door: when
/// it threw on any of them, every rank throws that rank's error. `work` itself must not
/// communicate. Collective.
template <class Work>
void together(Communicator& communicator, Work&& work) {
  std::string problem;
  ExitCode code = ExitCode::kDone;
  try {
    std::forward<Work>(work)();
  } catch (const Error& e) {
    problem = e.what();
    code = e.code();
  } catch (const std::exception& e) {
    problem = e.what();
    code = ExitCode::kFailure;
  }
  communicator.agree(problem, static_cast<int>(code));
}

}  // namespace hepar
