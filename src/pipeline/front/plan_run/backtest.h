#pragma once
#include <hepar/pipeline/estimate.h>

#include <string>
#include <vector>

namespace hepar::detail {

/// Trials of one command: each predicted as if it alone had not been measured.
struct CommandError {
  std::string command = {};
  int trials = 0;
  int alone = 0;  ///< without them: nothing else says what they cost
  double measured_s = 0, predicted_s = 0;
  double median_error = 0;  ///< of a trial, without sign; a fraction
  [[nodiscard]] double error() const { return predicted_s / measured_s - 1; }
};

/// A folder's run as a whole.
struct WallError {
  std::string folder = {};
  int trials = 0;
  int alone = 0;          ///< of them, taken as measured
  int groups = 1;         ///< that ran side by side
  double measured_s = 0;  ///< while at least one trial ran
  double predicted_s = 0;
  [[nodiscard]] double error() const { return predicted_s / measured_s - 1; }
};

struct Backtest {
  std::vector<CommandError> commands = {};
  std::vector<WallError> walls = {};
};

/// The model's error where it can be seen: on the measured trials themselves. `overhead_s` is the
/// runner's for each.
Backtest backtest(const std::vector<MeasuredTrial>& measured, const NetworkModel& network,
                  double overhead_s);

}  // namespace hepar::detail
