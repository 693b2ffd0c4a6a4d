// A program whose ranks fail in a chosen way; fault_test.sh looks at how the job ends.
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "hepar/comm/communicator.h"
#include "hepar/comm/main_guard.h"
#include "hepar/core/error.h"

namespace {

int run(const std::string& what) {
  hepar::Communicator world = hepar::Communicator::world();
  if (what == "one") {
    hepar::require<hepar::DataError>(world.rank() != 1, "the second rank cannot go on");
  } else if (what == "all") {
    throw hepar::ConfigError("every rank sees the same mistake");
  } else if (what == "agreed") {
    world.agree(world.rank() == 1 ? "the second rank has a problem" : "", 3);
  } else if (what == "pending") {
    std::vector<std::int64_t> flags{world.rank()};
    const hepar::PendingReduction pending = world.start_all_reduce(flags, hepar::ReduceOp::kMax);
    world.agree(world.rank() == 1 ? "the second rank has a problem" : "", 3);
  } else if (what == "thread") {
    std::string text = "no error";
    std::jthread([&] {
      try {
        world.barrier();
      } catch (const hepar::CommError& e) {
        text = e.what();
      }
    }).join();
    throw hepar::CommError(text);
  }
  world.barrier();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return hepar::run_with_mpi(argc, argv, [&] { return run(argc > 1 ? argv[1] : ""); });
}
