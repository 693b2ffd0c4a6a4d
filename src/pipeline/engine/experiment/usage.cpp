#include "experiment/usage.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <sstream>

#include "hepar/core/parallel.h"

namespace hepar::detail {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

/// The kernel's high-water mark is of the whole process; "5" starts it anew (proc(5)).
void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

}  // namespace

std::vector<int> my_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> processors;
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &set)) {
        processors.push_back(i);
      }
    }
  }
  return processors;
}

double peak_memory_mib() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmHWM:")) {
      return std::strtod(line.c_str() + 6, nullptr) / 1024;
    }
  }
  return 0;
}

Usage::Usage()
    : start_(std::chrono::steady_clock::now()), started_(utc_now()), cpu_s_(cpu_seconds()) {
  reset_peak_memory();
}

TrialCost Usage::finish(Communicator& group) const {
  std::array<double, 2> sums{cpu_seconds() - cpu_s_,
                             static_cast<double>(usable_processors()) / group.local_sharers()};
  std::array<double, 1> peak{peak_memory_mib()};
  group.all_reduce(sums, ReduceOp::kSum);
  group.all_reduce(peak, ReduceOp::kMax);
  const auto wall = std::chrono::steady_clock::now() - start_;
  return {.wall_s = std::chrono::duration<double>(wall).count(),
          .cpu_s = sums[0],
          .ranks = group.size(),
          .cores = std::max(1, static_cast<int>(sums[1] + 0.5)),
          .peak_memory_mib = peak[0]};
}

void share_processors(Communicator& world, int ranks_per_group) {
  const std::vector<int> mine = my_processors();
  std::ostringstream text;
  text << world.host() << ":";
  for (const int processor : mine) {
    text << processor << ",";
  }
  int before = 0, here = 0;
  for (int rank = 0; const std::string& other : world.all_gather(text.str())) {
    if (other == text.str()) {
      before += rank < world.rank() ? 1 : 0;
      ++here;
    }
    ++rank;
  }
  // Ranks that were bound differ; with fewer processors than ranks there is nothing to share.
  const int groups = here / ranks_per_group;
  if (here != world.local_size() || here % ranks_per_group != 0 || groups < 2 ||
      static_cast<int>(mine.size()) < groups) {
    return;
  }
  const int group = before / ranks_per_group;
  const int n = static_cast<int>(mine.size());
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int i = group * n / groups; i < (group + 1) * n / groups; ++i) {
    CPU_SET(mine[static_cast<std::size_t>(i)], &set);
  }
  ::sched_setaffinity(0, sizeof(set), &set);
}

}  // namespace hepar::detail
