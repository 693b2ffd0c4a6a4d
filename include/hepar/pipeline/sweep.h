#pragma once
#include <hepar/pipeline/experiment.h>
#include <hepar/pipeline/report.h>
#include <hepar/pipeline/trial_store.h>

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hepar {

/// How far an experiment is.
struct Progression {
  const TrialStates& states;
  const std::map<std::string, std::string>& blocked;  ///< Schedule::blocked
};

/// The configurations that a sweep compares and the trials that say what each is worth.
class SweepTrials {
 public:
  /// A configuration's metric at a rung.
  struct Value {
    std::optional<double> value = {};  ///< mean over the repeats; none unless all have a number
    std::string missing = {};          ///< why there is none
  };

  /// `experiment` has a section `sweep`; both must outlive this.
  SweepTrials(const Experiment& experiment, const TrialStore& store);

  [[nodiscard]] std::size_t size() const { return configurations_.size(); }
  [[nodiscard]] const AxisValues& axes(std::size_t configuration) const {
    return configurations_[configuration].axes;
  }
  /// Rungs, or 1 when nothing is stopped early.
  [[nodiscard]] std::size_t rungs() const { return configurations_.front().trials.size(); }
  /// Trials of the metric's stage, one a repeat.
  [[nodiscard]] const std::vector<std::string>& trials(std::size_t configuration,
                                                       std::size_t rung) const {
    return configurations_[configuration].trials[rung];
  }
  /// The axes of a cell that are of its configurations: not repeats, rung, or what is gathered.
  [[nodiscard]] AxisValues configuration_axes(const AxisValues& cell) const;

  /// Whether each of `trials` is done, has failed or is blocked.
  [[nodiscard]] bool ended(std::size_t configuration, std::size_t rung,
                           const Progression& at) const;
  /// Throws DataError naming the file when an output has no number, and no null, at the metric's
  /// key.
  [[nodiscard]] Value value(std::size_t configuration, std::size_t rung,
                            const Progression& at) const;

  /// Whether `a` ranks before `b`: the better value, one at all, the smaller trial id.
  [[nodiscard]] bool better(const std::pair<std::size_t, Value>& a,
                            const std::pair<std::size_t, Value>& b) const;

 private:
  struct Configuration {
    AxisValues axes;
    std::vector<std::vector<std::string>> trials;  ///< by rung
  };
  [[nodiscard]] std::optional<double> read(const Trial& trial) const;

  const Experiment& experiment_;
  const TrialStore& store_;
  std::set<std::string> axes_;  ///< of configurations
  std::vector<Configuration> configurations_;
};

/// The configurations of a sweep, best first: those that came furthest, then by value. Throws as
/// SweepTrials::value does.
ReportTables ranking_tables(const TrialStore& store);

}  // namespace hepar
