#include "start_guard.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <mutex>

#include "hepar/core/error.h"
#include "hepar/core/log.h"

namespace hepar {
namespace {

constexpr std::chrono::seconds kLongest{30};

}  // namespace

StartGuard::StartGuard(const std::string& rank)
    : thread_([this, rank](const std::stop_token& stop) {
        std::mutex pause;
        std::unique_lock lock(pause);
        if (wake_.wait_for(lock, stop, kLongest, [&] { return stop.stop_requested(); })) {
          return;
        }
        log::error(rank + " was started, but no message has passed between it and the others for " +
                   std::to_string(kLongest.count()) +
                   " s: MPI may have taken a network that the hosts do not share, or a firewall is "
                   "between them; name the network, OMPI_MCA_btl_tcp_if_include=10.1.0.0/16 "
                   "(docs/several-hosts.md)");
        std::fflush(nullptr);
        ::_exit(static_cast<int>(ExitCode::kCommunication));
      }) {}

}  // namespace hepar
