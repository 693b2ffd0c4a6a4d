#pragma once
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/trial_store.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace hepar {

/// What a group of ranks does next.
struct NextStep {
  enum class Kind {
    kRun,       ///< `candidates`, best first: the first that can still be taken
    kRunAlone,  ///< a suspect: nothing else may run beside it
    kWait,      ///< others run what this needs, or a suspect runs
    kFinish,    ///< nothing is left that can run
  };
  Kind kind = Kind::kFinish;
  std::vector<std::string> candidates;
};

/// The order of an experiment's trials: those with the longest expected way to the end first, where
/// the way is a trial's own cost and the longest of what waits for it.
class Schedule {
 public:
  /// `measured`: wall seconds of trials that were done, by id.
  Schedule(const Experiment& experiment, const std::map<std::string, double>& measured);

  /// `takes_suspects`: one group of a run does; the others wait. `closed`: trials that may not run
  /// (Bracket).
  [[nodiscard]] NextStep next(const TrialStates& states, bool takes_suspects,
                              const std::set<std::string>& closed = {}) const;

  /// Trials that cannot run because something they read failed: id -> the failed trial's id.
  [[nodiscard]] std::map<std::string, std::string> blocked(const TrialStates& states) const;

  /// Expected wall seconds: measured, else the mean of the same stage, else of the same command
  /// (trainings by steps), else a guess.
  [[nodiscard]] double expected_s(const std::string& id) const { return expected_.at(id); }

 private:
  void estimate(const std::map<std::string, double>& measured);

  const Experiment& experiment_;
  std::map<std::string, double> expected_;
  std::map<std::string, double> way_;  ///< to the end of the experiment, seconds
};

}  // namespace hepar
