#include "mpi_call.h"

#include <unistd.h>

#include <array>
#include <string>

#include "hepar/core/error.h"

namespace hepar {

std::string rank_and_host() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  int rank = 0;
  if (mpi_is_running()) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  }
  return "rank " + std::to_string(rank) + " on " + host.data();
}

bool mpi_is_running() noexcept {
  int started = 0;
  int ended = 0;
  MPI_Initialized(&started);
  MPI_Finalized(&ended);
  return started != 0 && ended == 0;
}

void mpi_check(int status, const char* call) {
  if (status == MPI_SUCCESS) {
    return;
  }
  std::array<char, MPI_MAX_ERROR_STRING + 1> text{};
  int length = 0;
  MPI_Error_string(status, text.data(), &length);
  throw CommError(rank_and_host() + ": " + call + " failed: " + text.data());
}

}  // namespace hepar
