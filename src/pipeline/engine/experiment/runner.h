#pragma once
#include <hepar/comm/communicator.h>
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/schedule.h>
#include <hepar/pipeline/trial_store.h>

#include <string>

namespace hepar::detail {

/// One group of ranks that takes trials until none is left that can run. Groups meet only in the
/// state folders: whose rename succeeds, runs the trial.
class GroupRunner {
 public:
  struct Place {
    int group = 0;  ///< number of this group; group 0 takes suspects
    int groups = 1;
  };
  GroupRunner(const Experiment& experiment, const TrialStore& store, const Schedule& schedule,
              Place place);

  /// Collective over the group. Returns when nothing is left or a stop was asked for.
  void run(Communicator& group);

 private:
  /// What the group does next; root decides, all do it.
  struct Decision {
    std::string action;  ///< run | wait | finish | stop
    std::string id;
  };
  [[nodiscard]] Decision decide(Communicator& group);
  [[nodiscard]] Decision claim() const;
  [[nodiscard]] bool somebody_else_runs(const std::string& id) const;
  [[nodiscard]] bool suspect_runs() const;
  void run_one(const std::string& id, Communicator& group);
  void say(const std::string& text) const;

  const Experiment& experiment_;
  const TrialStore& store_;
  const Schedule& schedule_;
  Place place_;
};

}  // namespace hepar::detail
