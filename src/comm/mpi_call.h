#pragma once
#include <mpi.h>
#include <string>

namespace hepar {

/// Every MPI call goes through here: anything but MPI_SUCCESS is a CommError with rank, host, call
/// and MPI's own text.
void mpi_check(int status, const char* call);

/// "rank 1 on node7".
std::string rank_and_host();

/// True between MPI_Init and MPI_Finalize.
bool mpi_is_running() noexcept;

}  // namespace hepar
