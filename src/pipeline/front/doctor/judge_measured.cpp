// What was tried between the ranks: all-reduce, clocks, files.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "doctor/points.h"
#include "hepar/core/text.h"

namespace hepar::detail {
namespace {

// A gradient of 30 million parameters takes more than a second.
constexpr double kSlowBytesPerSecond = 100e6;
// Leases live by beats, not by clocks; people and make compare time stamps.
constexpr double kLargeOffsetS = 1;
constexpr double kGibibyte = 1024.0 * 1024 * 1024;
constexpr double kTooLittleBytes = kGibibyte;  // a checkpoint of a large network with its optimizer
constexpr double kLittleBytes = 20 * kGibibyte;

std::string with_unit(double value, int digits, const char* unit) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.*f %s", digits, value, unit);
  return text.data();
}

double bytes_per_second(const AllReduceTime& time) {
  return static_cast<double>(time.bytes) / time.median_s;
}

std::string rate_text(double bytes_per_s) {
  return bytes_per_s >= 1e9 ? with_unit(bytes_per_s / 1e9, 1, "GB/s")
                            : with_unit(bytes_per_s / 1e6, 0, "MB/s");
}

Finding folder_problem(std::string point, std::string found, std::string advice) {
  return {.point = std::move(point),
          .verdict = Verdict::kProblem,
          .found = std::move(found),
          .advice = std::move(advice),
          .code = ExitCode::kBadData};
}

std::string of_rounds(int bad, const FolderFacts& facts) {
  return std::to_string(bad) + " of " + std::to_string(facts.rounds) + " times";
}

Finding judge_sharing(const FolderFacts& facts) {
  const std::string advice =
      "keep experiments on a file system that all hosts mount (--folder, hepar run --out), not in "
      "/tmp or on a local disk";
  if (!facts.blind.empty()) {
    return folder_problem(
        "shared files",
        facts.folder + ": what rank 0 wrote was not seen by " + first_names(facts.blind), advice);
  }
  if (!facts.unseen.empty()) {
    return folder_problem(
        "shared files",
        facts.folder + ": rank 0 did not see what was written by " + first_names(facts.unseen),
        advice);
  }
  return {.point = "shared files",
          .found = facts.folder + ": seen by all in " + short_time(facts.delay_s) +
                   ", by rank 0 in " + short_time(facts.delay_back_s)};
}

Finding judge_claims(const FolderFacts& facts) {
  const std::string advice =
      "leases and trials need file systems on which one creator and one renamer of a name wins: "
      "local disks, NFS 4, Lustre, GPFS, BeeGFS";
  if (facts.shared_creations > 0) {
    return folder_problem("claims",
                          facts.folder + ": exclusive creation had not one winner, " +
                              of_rounds(facts.shared_creations, facts),
                          advice);
  }
  if (facts.shared_renames > 0) {
    return folder_problem(
        "claims",
        facts.folder + ": a rename had not one winner, " + of_rounds(facts.shared_renames, facts),
        advice);
  }
  return {.point = "claims",
          .found = "exclusive creation and rename had one winner, " + std::to_string(facts.rounds) +
                   " times each"};
}

Finding judge_locks(const FolderFacts& facts) {
  Finding finding{.point = "file locks", .found = "files can be locked"};
  if (!facts.lock_error.empty()) {
    finding.verdict = Verdict::kNote;
    finding.found = "files cannot be locked: " + facts.lock_error;
    finding.advice =
        "hepar does without; other programs on its HDF5 files may want HDF5_USE_FILE_LOCKING=FALSE";
  } else if (!facts.lock_excludes) {
    finding.verdict = Verdict::kNote;
    finding.found = "a lock of one host is unknown to others";
    finding.advice = "hepar does without; do not trust other programs' locks here";
  }
  return finding;
}

Finding judge_space(const FolderFacts& facts) {
  const std::string found = binary_size(facts.free_bytes) + " free";
  if (facts.free_bytes < kTooLittleBytes) {
    return folder_problem("space", found,
                          "a checkpoint may not fit: make room or choose another folder");
  }
  const bool little = facts.free_bytes < kLittleBytes;
  return {.point = "space",
          .verdict = little ? Verdict::kNote : Verdict::kOk,
          .found = found,
          .advice = little ? "prepared sets and checkpoints of a study take some GiB each" : ""};
}

}  // namespace

std::string short_time(double seconds) {
  return seconds < 1e-3 ? with_unit(seconds * 1e6, 0, "us")
         : seconds < 1  ? with_unit(seconds * 1e3, 1, "ms")
                        : with_unit(seconds, 1, "s");
}

std::string binary_size(double bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) {
    bytes /= 1024;
  }
  const bool whole = bytes >= 100 || bytes == std::floor(bytes);
  return with_unit(bytes, whole ? 0 : 1, kUnits[unit]);
}

std::string first_names(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 4;
  if (names.size() <= kShown) {
    return join(names, ", ");
  }
  return join({names.begin(), names.begin() + kShown}, ", ") + " and " +
         std::to_string(names.size() - kShown) + " more";
}

Finding judge_all_reduce(const DoctorFacts& facts) {
  Finding finding{.point = "all-reduce", .found = "one rank: nothing to measure"};
  if (facts.all_reduce.empty()) {
    return finding;
  }
  std::vector<std::string> texts;
  for (const AllReduceTime& time : facts.all_reduce) {
    texts.push_back(binary_size(static_cast<double>(time.bytes)) + " " + short_time(time.median_s) +
                    " (" + rate_text(bytes_per_second(time)) + ")");
  }
  finding.found = join(texts, ", ");
  const bool right = std::all_of(facts.all_reduce.begin(), facts.all_reduce.end(),
                                 [](const AllReduceTime& time) { return time.right; });
  if (!right) {
    finding.verdict = Verdict::kProblem;
    finding.code = ExitCode::kCommunication;
    finding.found = "wrong sums";
    finding.advice =
        "this MPI or its network transport cannot be trusted: try another (--mca btl, UCX_TLS)";
  } else if (bytes_per_second(facts.all_reduce.back()) < kSlowBytesPerSecond) {
    finding.verdict = Verdict::kNote;
    finding.advice =
        "slow for gradients: leave a processor to every rank, and see that MPI takes the fast "
        "network "
        "(--mca btl_tcp_if_include, UCX_NET_DEVICES)";
  }
  return finding;
}

Finding judge_clocks(const DoctorFacts& facts) {
  Finding finding{.point = "clocks", .found = "one host: one clock"};
  if (facts.clocks.empty()) {
    return finding;
  }
  const auto size = [](const ClockOffset& clock) { return std::abs(clock.offset_s); };
  const ClockOffset& worst = *std::max_element(
      facts.clocks.begin(), facts.clocks.end(),
      [&](const ClockOffset& a, const ClockOffset& b) { return size(a) < size(b); });
  finding.found = "at most " + short_time(size(worst)) + " apart (" + worst.host + ", known to " +
                  short_time(worst.uncertainty_s) + ")";
  if (size(worst) - worst.uncertainty_s > kLargeOffsetS) {
    finding.verdict = Verdict::kNote;
    finding.advice = "logs and file times of the hosts do not compare: is chronyd or ntpd running?";
  }
  return finding;
}

std::vector<Finding> judge_folder(const FolderFacts& facts) {
  if (!facts.problem.empty()) {
    return {folder_problem("shared files", facts.problem,
                           "choose a folder that is there and may be written to (--folder)")};
  }
  const Finding sharing = judge_sharing(facts);
  if (sharing.verdict == Verdict::kProblem) {
    return {sharing, judge_space(facts)};  // the rest was not tried
  }
  return {sharing, judge_claims(facts), judge_locks(facts), judge_space(facts)};
}

}  // namespace hepar::detail
