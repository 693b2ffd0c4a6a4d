#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/pipeline/bracket.h>
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/schedule.h>
#include <hepar/pipeline/time_limit.h>
#include <hepar/pipeline/trial_store.h>
#include <hepar/train/lease.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hepar::detail {

/// One group of ranks that takes trials until none is left that can run. Groups meet only in the
/// state folders: whose rename succeeds, runs the trial. Its lease is taken before the rename, so
/// that a trial in state/running has an owner that lives or has died.
class GroupRunner {
 public:
  struct Place {
    int group = 0;  ///< number of this group; group 0 takes suspects
    int groups = 1;
  };
  /// `own`: the trials to run, all or some of the experiment's; `schedule` is theirs. `bracket`:
  /// which of them may run; null when all may.
  struct Work {
    const Experiment& experiment;
    const Experiment& own;
    const Schedule& schedule;
    Bracket* bracket;
    TimeLimit limit{};
  };
  GroupRunner(Work work, const TrialStore& store, Place place);

  /// Collective over the group. Returns when nothing is left, a stop was asked for, or nothing that
  /// is left ends before the time limit.
  void run(Communicator& group);
  /// Whether run() ended for the time limit's sake.
  [[nodiscard]] bool out_of_time() const { return out_of_time_; }

 private:
  /// What the group does next; root decides, all do it.
  struct Decision {
    std::string action;  ///< run | wait | finish | stop | late
    std::string id;
  };
  [[nodiscard]] Decision decide(Communicator& group);
  [[nodiscard]] Decision claim();
  /// What may come next, after the decisions that can be taken.
  [[nodiscard]] NextStep next_step();
  /// Lease and rename; false when the trial is somebody else's, or may be.
  [[nodiscard]] bool take(const std::string& id, TrialState from);
  /// Those of the candidates that end before the time limit, or save when it comes.
  [[nodiscard]] std::vector<std::string> in_time(std::vector<std::string> candidates) const;
  /// The first of these that can be taken; empty when none can.
  [[nodiscard]] std::string take_one_of(std::vector<std::string> candidates);
  void give_back(const std::string& id, TrialState to);
  [[nodiscard]] bool any_running(const std::function<bool(const std::string& id)>& which) const;
  [[nodiscard]] bool somebody_else_runs(const std::string& id) const;
  [[nodiscard]] bool suspect_runs() const;
  /// Those that others ran when this run began may have died since.
  void look_after_others();
  void run_one(const std::string& id, Communicator& group);
  void say(const std::string& text) const;

  Work work_;
  const TrialStore& store_;
  Place place_;
  std::chrono::steady_clock::time_point looked_ = std::chrono::steady_clock::now();
  std::unique_ptr<Lease> lease_;  ///< of the trial that runs; the root's
  bool begun_ = false;            ///< has taken a trial
  bool out_of_time_ = false;
  /// Candidates that were held by somebody when they were first tried.
  std::map<std::string, std::chrono::steady_clock::time_point> held_;
};

}  // namespace hepar::detail
