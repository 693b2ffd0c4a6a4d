// Does a folder behave between ranks as leases, trials and checkpoints need it?
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "doctor/measure.h"
#include "hepar/core/descriptor.h"
#include "hepar/core/files.h"

namespace hepar::detail {
namespace {

constexpr int kRounds = 20;
using Clock = std::chrono::steady_clock;

/// 0, or the system's number for why not. Closing the file gives the lock back.
int lock_file(const Descriptor& file) {
  return ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

class FolderTrial {
 public:
  FolderTrial(const std::string& folder, double wait_s, Communicator& world)
      : wait_s_(wait_s), world_(world) {
    facts_.folder = folder;
    facts_.rounds = kRounds;
  }
  ~FolderTrial() {
    if (world_.is_root() && !probe_.empty()) {
      std::error_code ignored;
      fs::remove_all(probe_, ignored);
    }
  }
  FolderTrial(const FolderTrial&) = delete;
  FolderTrial& operator=(const FolderTrial&) = delete;
  FolderTrial(FolderTrial&&) = delete;
  FolderTrial& operator=(FolderTrial&&) = delete;

  FolderFacts run() {
    if (!open()) {
      return facts_;
    }
    look_from_root();
    look_to_root();
    measure_space();
    if (facts_.blind.empty() && facts_.unseen.empty()) {
      create_exclusively();
      rename_together();
      lock();
    }
    world_.barrier();  // nobody needs the files any more
    return facts_;
  }

 private:
  /// The root makes a folder that no other run has. False when it cannot.
  bool open() {
    if (world_.is_root()) {
      facts_.problem = error_of([&] {
        require<DataError>(fs::is_directory(facts_.folder), facts_.folder + ": no such folder");
        std::string name = (fs::absolute(facts_.folder) / ".hepar-doctor-XXXXXX").string();
        require<DataError>(::mkdtemp(name.data()) != nullptr,
                           facts_.folder + ": cannot be written to: " + std::strerror(errno));
        probe_ = name;
      });
    }
    facts_.problem = world_.broadcast(facts_.problem, 0);
    probe_ = world_.broadcast(probe_.string(), 0);
    return facts_.problem.empty();
  }

  [[nodiscard]] fs::path file_of(int rank) const {
    return probe_ / ("rank-" + std::to_string(rank));
  }

  /// Leaves a file with this rank's own text; empty, or why that was impossible.
  [[nodiscard]] std::string leave_file() const {
    return error_of([&] { write_atomically(file_of(world_.rank()), text_of(world_.rank())); });
  }
  [[nodiscard]] std::string text_of(int rank) const {
    return probe_.filename().string() + " " + std::to_string(rank) + "\n";
  }

  /// Seconds until rank's file is there and whole; negative when it was not in time.
  [[nodiscard]] double seen_after(int rank) const {
    const auto start = Clock::now();
    const auto waited = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
    for (;;) {
      std::string found;
      if (error_of([&] { found = read_text(file_of(rank)); }).empty() && found == text_of(rank)) {
        return waited();
      }
      if (waited() > wait_s_) {
        return -1;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  [[nodiscard]] std::string me() const {
    return "rank " + std::to_string(world_.rank()) + " on " + world_.host();
  }

  /// The others wait for the root's file.
  void look_from_root() {
    const std::string problem = world_.is_root() ? leave_file() : "";
    facts_.problem = world_.broadcast(problem, 0);
    std::array<double, 1> delay{facts_.problem.empty() ? seen_after(0) : 0};
    const std::string late = " (waited " + std::to_string(static_cast<int>(wait_s_)) + " s)";
    for (const std::string& text : world_.all_gather(delay[0] < 0 ? me() + late : "")) {
      if (!text.empty()) {
        facts_.blind.push_back(text);
      }
    }
    world_.all_reduce(delay, ReduceOp::kMax);
    facts_.delay_s = delay[0];
  }

  /// The root waits for theirs, for all together as long as for one.
  void look_to_root() {
    const std::vector<std::string> problems =
        world_.all_gather(world_.is_root() ? "" : leave_file());
    const std::vector<std::string> names = world_.all_gather(me());
    const auto start = Clock::now();
    for (int rank = 1; world_.is_root() && rank < world_.size(); ++rank) {
      const auto at = static_cast<std::size_t>(rank);
      if (!problems[at].empty()) {
        facts_.unseen.push_back(names[at] + " (" + problems[at] + ")");
      } else if (seen_after(rank) < 0) {
        facts_.unseen.push_back(names[at]);
      }
    }
    facts_.delay_back_s = std::chrono::duration<double>(Clock::now() - start).count();
    std::array<std::int64_t, 1> unseen{static_cast<std::int64_t>(facts_.unseen.size())};
    world_.all_reduce(unseen, ReduceOp::kMax);
    facts_.unseen.resize(static_cast<std::size_t>(unseen[0]));
  }

  /// Of rounds in which all ranks try to win, how many had not one winner.
  int rounds_without_one_winner(const std::function<bool(int round)>& wins) {
    int bad = 0;
    for (int round = 0; round < kRounds; ++round) {
      world_.barrier();
      std::array<std::int64_t, 1> winners{wins(round) ? 1 : 0};
      world_.all_reduce(winners, ReduceOp::kSum);
      bad += winners[0] == 1 ? 0 : 1;
    }
    return bad;
  }

  /// How a lease's generation is taken.
  void create_exclusively() {
    facts_.shared_creations = rounds_without_one_winner([&](int round) {
      return Descriptor(probe_ / ("created-" + std::to_string(round)), O_WRONLY | O_CREAT | O_EXCL)
          .is_open();
    });
  }

  /// How a trial is taken.
  void rename_together() {
    const auto planned = [&](int round) { return probe_ / ("planned-" + std::to_string(round)); };
    for (int round = 0; world_.is_root() && round < kRounds; ++round) {
      const Descriptor made(planned(round), O_WRONLY | O_CREAT);
    }
    facts_.shared_renames = rounds_without_one_winner([&](int round) {
      fs::path taken = planned(round);
      taken += ".by-" + std::to_string(world_.rank());
      return std::rename(planned(round).c_str(), taken.c_str()) == 0;
    });
  }

  /// The root's lock, while it holds it, against one on each other rank.
  void lock() {
    const Descriptor file(file_of(0), O_RDWR);
    const int first = world_.is_root() ? lock_file(file) : 0;
    world_.barrier();
    const int second = world_.is_root() ? EWOULDBLOCK : lock_file(file);
    const bool failed = first != 0 || (second != 0 && second != EWOULDBLOCK);
    const std::string problem =
        failed ? me() + ": " + std::strerror(first != 0 ? first : second) : "";
    for (const std::string& text : world_.all_gather(problem)) {
      facts_.lock_error = facts_.lock_error.empty() ? text : facts_.lock_error;
    }
    std::array<std::int64_t, 1> let_in{second == 0 ? 1 : 0};
    world_.all_reduce(let_in, ReduceOp::kMax);
    facts_.lock_excludes = let_in[0] == 0;
  }

  void measure_space() {
    std::error_code ignored;
    const fs::space_info space = fs::space(probe_.parent_path(), ignored);
    std::array<double, 1> available{ignored ? 0 : static_cast<double>(space.available)};
    world_.all_reduce(available, ReduceOp::kMin);
    facts_.free_bytes = available[0];
  }

  double wait_s_;
  Communicator& world_;
  FolderFacts facts_;
  fs::path probe_;
};

}  // namespace

FolderFacts try_folder(const std::string& folder, double wait_s, Communicator& world) {
  return FolderTrial(folder, wait_s, world).run();
}

}  // namespace hepar::detail
