#include "commands.h"
#include "hepar/comm/main_guard.h"
#include "hepar/core/log.h"

int main(int argc, char** argv) {
  return hepar::run_with_mpi(argc, argv, [&] {
    hepar::Communicator ranks = hepar::Communicator::world();
    hepar::log::set_rank(ranks.rank(), ranks.size());
    hepar::run_prep({argv + 1, argv + argc}, ranks);
    return 0;
  });
}
