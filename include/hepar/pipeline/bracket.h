#pragma once
#include <hepar/pipeline/sweep.h>

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hepar {

/// What a rung's decision says of one configuration.
struct RungDecision {
  std::size_t configuration = 0;
  std::optional<double> value = {};
  bool promoted = false;
  std::string why = {};
};

/// How many of those that reached a rung go on: ⌊n / eta⌋, at least one.
std::size_t places(const SweepSpec::Asha& asha, std::size_t reached);

/// The one bracket of a sweep with ASHA. A rung is decided when the trials of all configurations
/// that reached it have ended: the best ⌊n / eta⌋ of its n, at least one, go on; failed ones rank
/// last, ties go by trial id. A rung in which nobody has a value is not decided. Decisions depend
/// on the trials' outputs alone, so that every group of a run comes to the same.
///
/// EXP/decisions.jsonl holds them, one JSON object a line:
///
///   {"bracket": {…}}                                  the rule; decisions after it are by it
///   {"rung": 30, "configuration": {…}, "trials": […], "value": 0.93, "promoted": true, "why": "…"}
///
/// It is only ever added to, each time in one atomic write.
class Bracket {
 public:
  /// Replays the decisions after the log's last rule; without a log nothing is decided.
  /// `experiment` has a sweep that stops early; both must outlive this. Throws DataError naming the
  /// line when the log is damaged or not of this experiment.
  Bracket(const Experiment& experiment, const TrialStore& store);

  /// Decides what can be decided, writes what the log does not hold yet, and returns a line for
  /// each rung that it wrote.
  std::vector<std::string> decide(const Progression& at);

  /// Trials that may not run: their configuration was stopped, or it is not decided yet.
  [[nodiscard]] const std::set<std::string>& closed() const { return closed_; }
  /// Those of `closed()` whose configuration was stopped.
  [[nodiscard]] const std::set<std::string>& stopped() const { return stopped_; }

  [[nodiscard]] const SweepTrials& trials() const { return trials_; }
  /// Configurations that reach a rung; none while the rung before it is not decided.
  [[nodiscard]] std::vector<std::size_t> entrants(std::size_t rung) const;
  /// Decisions of each rung that was decided, best first. The last rung has none.
  [[nodiscard]] const std::vector<std::vector<RungDecision>>& decisions() const {
    return decisions_;
  }

 private:
  void replay();
  [[nodiscard]] std::optional<std::vector<RungDecision>> decision(const Progression& at) const;
  [[nodiscard]] bool record(std::size_t rung) const;
  void close_trials();

  const Experiment& experiment_;
  const TrialStore& store_;
  SweepTrials trials_;
  std::map<std::string, std::map<AxisValues, std::vector<std::size_t>>> by_stage_;
  std::map<std::string, std::set<std::string>> stage_axes_;
  std::vector<std::vector<RungDecision>> decisions_;
  std::set<std::string> closed_, stopped_;
};

/// What a run that begins may do with decisions that are there.
struct DecisionPolicy {
  bool accept_changes = false;  ///< decide again by a changed rule
  bool retry_failed = false;    ///< decide again where a configuration had failed
};

/// Writes the rule where the log lacks it. Throws ConfigError when the log holds decisions by
/// another rule, unless the policy says so. For one process, before anybody constructs a Bracket.
/// Nothing trained is lost: what was stopped may now go on from its checkpoint.
void open_decisions(const Experiment& experiment, const TrialStore& store, DecisionPolicy policy);

}  // namespace hepar
