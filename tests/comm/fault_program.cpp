// A program whose ranks fail in a chosen way; fault_test.sh looks at how the job ends.
#include <signal.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "hepar/comm/communicator.h"
#include "hepar/comm/main_guard.h"
#include "hepar/comm/watchdog.h"
#include "hepar/core/error.h"

namespace {

/// The last rank of a watched group stops, works, or all wait for a message that nobody sends.
void watched(hepar::Communicator& world, const std::string& what, const std::string& folder) {
  hepar::Watchdog watchdog(world, folder,
                           {.silence_s = 0.6, .deadline_s = what == "late" ? 1.5 : 60});
  world.barrier();
  const bool last = world.rank() == world.size() - 1;
  watchdog.enter(last ? "saving" : "step 7");
  if (what == "dead-lock") {
    std::array<float, 1> none{};
    world.receive(none, (world.rank() + 1) % world.size(), 1);
  } else if (last && what == "stopped") {
    ::raise(SIGSTOP);
  } else if (last) {
    std::this_thread::sleep_for(std::chrono::milliseconds(what == "late" ? 60000 : 1000));
  }
  world.barrier();
}

int run(const std::string& what, const std::string& folder) {
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
  if (folder.empty()) {
    world.barrier();
  } else {
    watched(world, what, folder);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return hepar::run_with_mpi(argc, argv,
                             [&] { return run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : ""); });
}
