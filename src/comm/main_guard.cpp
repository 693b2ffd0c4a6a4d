#include "hepar/comm/main_guard.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <thread>

#include "hepar/comm/communicator.h"
#include "hepar/comm/environment.h"
#include "hepar/core/error.h"
#include "hepar/core/log.h"
#include "mpi_call.h"

namespace hepar {
namespace {

struct Place {
  int rank = 0;
  int size = 1;
};

Place place() {
  Place here;
  if (mpi_is_running()) {
    MPI_Comm_rank(MPI_COMM_WORLD, &here.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &here.size);
  }
  return here;
}

int leave_alone(const std::string& text, ExitCode code) {
  const Place here = place();
  if (here.size > 1) {
    // The same mistake often strikes every rank in the same millisecond. Lower ranks speak first,
    // and the abort silences the rest: one message instead of one a rank.
    constexpr auto kTurn = std::chrono::milliseconds(150);
    std::this_thread::sleep_for(kTurn * std::min(here.rank, 4));
  }
  log::error(text);
  if (here.size > 1) {
    MpiEnvironment::abort(static_cast<int>(code));
  }
  return static_cast<int>(code);
}

}  // namespace

int run_guarded(const std::function<int()>& body) {
  try {
    return body();
  } catch (const AgreedError& e) {
    if (place().rank == 0) {
      log::error(e.what());
    }
    return static_cast<int>(e.code());
  } catch (const Error& e) {
    return leave_alone(e.what(), e.code());
  } catch (const std::exception& e) {
    return leave_alone(e.what(), ExitCode::kFailure);
  } catch (...) {
    return leave_alone("an exception of unknown type", ExitCode::kFailure);
  }
}

int run_with_mpi(int& argc, char**& argv, const std::function<int()>& body) {
  try {
    const MpiEnvironment environment(argc, argv);
    return run_guarded(body);
  } catch (const Error& e) {
    return leave_alone(e.what(), e.code());
  }
}

}  // namespace hepar
