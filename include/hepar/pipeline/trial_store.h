#pragma once
#include <hepar/core/json.h>
#include <hepar/pipeline/experiment.h>

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hepar {

enum class TrialState { kPlanned, kRunning, kSuspect, kDone, kFailed };
inline constexpr TrialState kTrialStates[] = {TrialState::kPlanned, TrialState::kRunning,
                                              TrialState::kSuspect, TrialState::kDone,
                                              TrialState::kFailed};
std::string to_string(TrialState state);  ///< "planned", the folder's name

using TrialStates = std::map<std::string, TrialState>;  ///< by trial id

/// What has become of those who ran a trial that is in state/running.
enum class RunnerFate {
  kDied,  ///< the trial is suspect
  kLost,  ///< their node or allocation was lost: not the trial's fault
};

/// What a trial cost.
struct TrialCost {
  double wall_s = 0;
  double cpu_s = 0;  ///< user + system of all its ranks
  int ranks = 1;
  int cores = 1;               ///< that its ranks had
  double peak_memory_mib = 0;  ///< resident, largest rank
  [[nodiscard]] double core_hours() const { return wall_s * cores / 3600; }
};

/// trials/<id>/outcome.json: how a trial ended.
struct TrialOutcome {
  bool done = false;
  int exit_code = 0;
  std::string message = {};  ///< of the error
  std::string started = {};  ///< UTC, ISO 8601
  std::string host = {};
  std::string code_version = {};
  TrialCost cost = {};
  std::string output_hash = {};  ///< over `outputs`
  Json outputs = Json::array();
};

/// The folder of an experiment:
///
///   EXP/trials.json                                        what is to be done
///   EXP/state/{planned,running,suspect,done,failed}/<id>   empty files; a rename is a change of
///                                                          state, and who renames, owns
///   EXP/trials/<id>/                                       config.yaml, command.txt, log.txt,
///                                                          outcome.json, the output
///
///   EXP/trials/<id>/lease/                                 who runs it
///
/// Trial folders never move. All members may be called by several processes at once, except
/// recover(), for which the caller holds the trial alone.
class TrialStore {
 public:
  /// `part`: the trial after which a run of some trials only is named; its requests to stop are its
  /// own. Empty: a run of all.
  explicit TrialStore(std::filesystem::path folder, std::string part = "")
      : folder_(std::move(folder)), part_(std::move(part)) {}

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] std::filesystem::path trial_folder(const std::string& id) const;
  [[nodiscard]] std::filesystem::path output(const Trial& trial) const;

  /// Creates the folders and writes trials.json. Throws ConfigError when the folder holds an
  /// experiment in which a stage under the same settings is another trial (config drift), naming
  /// what changed, unless `accept_changes`.
  void open(const Experiment& experiment, bool accept_changes) const;
  /// Reads trials.json. Throws ConfigError when there is none.
  [[nodiscard]] Experiment experiment() const;

  /// Trials without a state become planned, as do those `done` whose folder was deleted and, with
  /// `retry_failed`, those that failed.
  void plan(const Experiment& experiment, bool retry_failed) const;
  /// A trial that is `running` although nobody runs it any more becomes suspect, and failed at a
  /// second death; after an announced stop, or when its allocation was lost, planned. Returns a
  /// line that says so; nothing when it was not running.
  [[nodiscard]] std::optional<std::string> recover(const std::string& id, RunnerFate fate) const;
  void forget_stop() const;
  /// Asks all groups to stop. `announced`: processes may be killed before they have stopped, and
  /// what they ran is not to blame.
  void request_stop(bool announced) const;
  [[nodiscard]] bool stop_requested() const;

  /// States by id; ids of older versions of the experiment are there too.
  [[nodiscard]] TrialStates states() const;
  /// Renames; false when the trial was not in `from` (somebody else was faster).
  [[nodiscard]] bool move(const std::string& id, TrialState from, TrialState to) const;

  void write_outcome(const std::string& id, const TrialOutcome& outcome) const;
  [[nodiscard]] std::optional<TrialOutcome> outcome(const std::string& id) const;
  [[nodiscard]] int deaths(const std::string& id) const;

  /// Hashes what the trial wrote: fills `outputs` and `output_hash`.
  void record_outputs(const Trial& trial, TrialOutcome& outcome) const;
  /// What is missing or different from what was recorded at `done`, one line each. Files whose size
  /// and time are unchanged are taken as they are.
  [[nodiscard]] std::vector<std::string> changed_outputs(const Trial& trial) const;

 private:
  [[nodiscard]] std::filesystem::path state_file(const std::string& id, TrialState state) const;
  [[nodiscard]] std::filesystem::path stop_file() const;

  std::filesystem::path folder_;
  std::string part_;
};

}  // namespace hepar
