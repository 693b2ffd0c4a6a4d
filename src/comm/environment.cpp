#include "hepar/comm/environment.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "hepar/core/error.h"
#include "hepar/core/log.h"
#include "mpi_call.h"

namespace hepar {
namespace {

int positive_number(const char* text) {
  return text == nullptr ? 0 : static_cast<int>(std::strtol(text, nullptr, 10));
}

void refuse_silent_singleton(int announced, int size) {
  require<CommError>(announced <= 1 || announced == size,
                     "the launcher started " + std::to_string(announced) + " ranks but MPI sees " +
                         std::to_string(size) +
                         ": every process would do the whole work alone. Start with the mpirun of "
                         "the MPI that hepar was built with, or with 'srun --mpi=pmix' "
                         "(see 'srun --mpi=list')");
}

/// What OpenMPI need not do for a lone process: start a daemon beside it, which serves
/// MPI_Comm_spawn only, and look for networks (libpsm and libpsm2 alone take 0.2 s to find none).
/// What is set already stays; programs that this one starts see nothing of it.
class LoneSettings {
 public:
  explicit LoneSettings(bool lone) {
    for (const auto& [name, value] : kSettings) {
      if (lone && std::getenv(name) == nullptr && ::setenv(name, value, /*overwrite=*/0) == 0) {
        set_.push_back(name);
      }
    }
  }
  ~LoneSettings() {
    for (const char* name : set_) {
      ::unsetenv(name);
    }
  }
  LoneSettings(const LoneSettings&) = delete;
  LoneSettings& operator=(const LoneSettings&) = delete;
  LoneSettings(LoneSettings&&) = delete;
  LoneSettings& operator=(LoneSettings&&) = delete;

 private:
  static constexpr std::array<std::pair<const char*, const char*>, 3> kSettings{
      {{"OMPI_MCA_ess_singleton_isolated", "1"},
       {"OMPI_MCA_pml", "ob1"},
       {"OMPI_MCA_btl", "self"}}};
  std::vector<const char*> set_;
};

}  // namespace

bool has_launcher(const std::function<const char*(const char*)>& variable) {
  constexpr std::array<const char*, 5> kSaid{"OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_FD",
                                             "PMIX_RANK", "PMIX_NAMESPACE"};
  return std::any_of(kSaid.begin(), kSaid.end(),
                     [&](const char* name) { return variable(name) != nullptr; });
}

int announced_ranks(const std::function<const char*(const char*)>& variable) {
  if (const int ranks = positive_number(variable("OMPI_COMM_WORLD_SIZE")); ranks > 0) {
    return ranks;
  }
  return has_launcher(variable) ? positive_number(variable("SLURM_STEP_NUM_TASKS")) : 0;
}

std::string mpi_library() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING + 1> text{};
  int length = 0;
  mpi_check(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  const std::string whole(text.data());
  return whole.substr(0, whole.find_first_of(",\n"));  // then come build host and date
}

MpiEnvironment::MpiEnvironment(int& argc, char**& argv)
    : exceptions_at_start_(std::uncaught_exceptions()) {
  // Before MPI starts: OpenMPI's own start of a lone process sets PMIX_* variables.
  const auto variable = [](const char* name) { return std::getenv(name); };
  const int announced = announced_ranks(variable);
  const LoneSettings settings(!has_launcher(variable));
  int provided = MPI_THREAD_SINGLE;
  mpi_check(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  mpi_check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  int rank = 0;
  int size = 1;
  mpi_check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");
  mpi_check(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
  log::set_rank(rank, size);
  require<CommError>(provided >= MPI_THREAD_FUNNELED,
                     "this MPI does not allow a program with threads (MPI_THREAD_FUNNELED)");
  refuse_silent_singleton(announced, size);
}

MpiEnvironment::~MpiEnvironment() {
  // While an exception unwinds, other ranks may be inside a collective and MPI_Finalize would wait
  // for them for ever; without it the launcher ends the job.
  if (std::uncaught_exceptions() == exceptions_at_start_ && mpi_is_running()) {
    MPI_Finalize();
  }
}

void MpiEnvironment::abort(int exit_code) {
  std::fflush(nullptr);
  if (mpi_is_running()) {
    MPI_Abort(MPI_COMM_WORLD, exit_code);
  }
  std::_Exit(exit_code);
}

}  // namespace hepar
