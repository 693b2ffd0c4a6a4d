#pragma once
#include <functional>

namespace hepar {

/// Runs `body` inside MPI and turns exceptions into exit codes (core/error.h):
///  - an AgreedError is printed by rank 0 only; every rank returns its code and leaves normally;
///  - anything else is printed by the rank that threw and, when there is more than one rank, ends
///  the whole
///    job at once with that code: the others may be waiting in a collective.
/// Call it inside the MpiEnvironment, with every Communicator inside `body`.
int run_guarded(const std::function<int()>& body);

/// The whole of a main(): MpiEnvironment, then run_guarded(body). An MPI that does not start, or
/// started silent singletons, is printed and returned as an exit code too.
int run_with_mpi(int& argc, char**& argv, const std::function<int()>& body);

}  // namespace hepar
