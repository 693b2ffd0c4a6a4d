#pragma once
#include <mpi.h>

namespace hepar {

/// Every MPI call goes through here: anything but MPI_SUCCESS is a CommError with rank, host, call
/// and MPI's own text.
void mpi_check(int status, const char* call);

/// True between MPI_Init and MPI_Finalize.
bool mpi_is_running() noexcept;

}  // namespace hepar
