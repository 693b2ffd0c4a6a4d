#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/trial_store.h>
#include <hepar/train/lease.h>

#include <string>

namespace hepar::detail {

/// How an attempt at a trial ended; the same on every rank of the group.
struct TrialEnd {
  enum class Kind { kDone, kFailed, kStopped };
  Kind kind = Kind::kDone;
  std::string message;  ///< of a failure
  double wall_s = 0;
};

/// Runs a trial that this group has taken (state running) and moves it to done, failed or, after a
/// requested stop, back to planned. What it prints goes to its log. An error that all ranks agree
/// on, or that strikes a group of one, fails the trial; an error of one rank among several is
/// thrown on: the others may be waiting in a collective, and only the end of the job wakes them.
/// `lease`: the trial's, on the group's root; without it nothing is concluded (CommError).
/// Collective over the group.
TrialEnd run_trial(const Trial& trial, const Experiment& experiment, const TrialStore& store,
                   Communicator& group, const Lease* lease);

/// "hepar train --config …": what to type to do a trial again outside the experiment.
std::string command_line(const Trial& trial, const TrialStore& store, int ranks);

}  // namespace hepar::detail
