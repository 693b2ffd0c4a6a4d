#pragma once
#include <functional>
#include <string>

namespace hepar {

/// Whether something started this process as a rank, or says that it speaks PMI or PMIx.
/// `variable` looks up an environment variable.
bool has_launcher(const std::function<const char*(const char*)>& variable);

/// How many ranks the launcher says it started: OMPI_COMM_WORLD_SIZE, else SLURM_STEP_NUM_TASKS
/// when the step speaks PMI or PMIx; 0 when nothing is said.
int announced_ranks(const std::function<const char*(const char*)>& variable);

/// Name and version of the MPI that this program runs with: "Open MPI v4.1.4".
std::string mpi_library();

/// MPI_Init_thread(FUNNELED) … MPI_Finalize. Outlives everything that communicates. Refuses a
/// silent singleton: when OMPI_COMM_WORLD_SIZE (or SLURM_STEP_NUM_TASKS in a PMI/PMIx step) says
/// more than one rank and MPI says otherwise, throws CommError.
class MpiEnvironment {
 public:
  MpiEnvironment(int& argc, char**& argv);
  ~MpiEnvironment();
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;
  MpiEnvironment(MpiEnvironment&&) = delete;
  MpiEnvironment& operator=(MpiEnvironment&&) = delete;

  /// Ends every rank of the job at once with this exit code; used when one rank throws.
  [[noreturn]] static void abort(int exit_code);

 private:
  int exceptions_at_start_;
};

}  // namespace hepar
