#pragma once
#include <hepar/comm/communicator.h>
#include <filesystem>
#include <memory>
#include <string>

namespace hepar {

/// Ends a job whose ranks wait for one that will not come. A thread of each rank rewrites a small
/// record, FOLDER/RANK.json (host, phase, call, sequence, progress, beat, time), six times in
/// `silence_s`. A rank that has waited in one MPI call for `silence_s` compares the others' records
/// and ends its process with exit code 4, naming who lags, when
///  - a record is not rewritten any more: its process or host is gone, or stopped;
///  - every rank waits and none gets a message: the network between them is broken;
///  - it has waited for `deadline_s`: for a rank that works, or whose record was never seen.
/// A rank that works (reads, saves, validates) is waited for until then; a warning says for whom.
/// Time is counted in looks at the records, so that a job that is suspended as a whole goes on
/// after it. FOLDER must be seen by all hosts. The thread calls no MPI.
class Watchdog {
 public:
  struct Options {
    double silence_s = 30;
    double deadline_s = 1800;
  };
  /// Nothing is watched in a group of one. Not collective.
  Watchdog(const Communicator& communicator, const std::filesystem::path& folder,
           const Options& options);
  ~Watchdog();  ///< ends the watch and removes this rank's record
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  Watchdog(Watchdog&&) = delete;
  Watchdog& operator=(Watchdog&&) = delete;

  /// What this rank does from now on, for the record and the messages: "step 57", "saving".
  void enter(const std::string& phase);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hepar
