#pragma once
#include <hepar/comm/communicator.h>
#include <array>
#include <cstdint>
#include <optional>

namespace hepar {

/// What one rank says about a step.
struct StepReport {
  bool stop_requested = false;        ///< a signal asked to save and stop
  bool non_finite = false;            ///< this rank's loss or gradient
  bool save_failed = false;           ///< a checkpoint written in the background
  std::uint64_t collective_hash = 0;  ///< GradientReducer::collective_hash()
  double compute_ms = 0;              ///< measured before waiting for anyone
};

/// The same of all ranks.
struct StepSummary {
  bool any_stop = false;
  bool any_non_finite = false;
  bool any_save_failed = false;
  bool hash_ok = true;  ///< all ranks reported one collective_hash
  int slowest_rank = 0;
  double max_compute_ms = 0;  ///< of the slowest rank, to the microsecond
};

/// One small reduction a step that travels while the next step computes:
///
///   each step:  auto last = flags.wait();  flags.start(report);   // `last` is of the step before
///   at the end: flags.wait();
///
/// Every rank gets the same summary in the same step, so what follows from it is agreed. Main
/// thread.
class StepFlags {
 public:
  /// `communicator` must outlive this.
  explicit StepFlags(Communicator& communicator);
  ~StepFlags() = default;
  StepFlags(const StepFlags&) = delete;
  StepFlags& operator=(const StepFlags&) = delete;
  StepFlags(StepFlags&&) = delete;
  StepFlags& operator=(StepFlags&&) = delete;

  /// Throws Error when the report before has not been waited for.
  void start(const StepReport& report);
  /// The summary of the report that was started last; empty when there is none.
  std::optional<StepSummary> wait();

 private:
  Communicator& communicator_;
  std::array<std::int64_t, 6> values_{};
  PendingReduction pending_;
};

}  // namespace hepar
