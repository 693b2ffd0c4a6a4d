#include "experiment/progress_of.h"
#include "hepar/core/text.h"
#include "plan_run/plan_output.h"
#include "plan_run/units.h"

namespace hepar::detail {
namespace {

std::vector<std::string> row_of(const CommandError& error) {
  const bool any = error.trials > 0;
  return {error.command,
          std::to_string(error.trials),
          error.alone > 0 ? std::to_string(error.alone) : "",
          any ? duration_text(error.measured_s) : "",
          any ? duration_text(error.predicted_s) : "",
          any ? percent_text(error.error()) : "",
          any ? fixed(100 * error.median_error, 1) + " %" : ""};
}

std::string line_of(const WallError& error) {
  return "wall time of " + error.folder + ": measured " + duration_text(error.measured_s) +
         ", predicted " + duration_text(error.predicted_s) + " (" + percent_text(error.error()) +
         "), " + std::to_string(error.trials) + " trials in " + std::to_string(error.groups) +
         " group(s)" +
         (error.alone > 0 ? ", " + std::to_string(error.alone) + " of them taken as measured"
                          : "") +
         "\n";
}

}  // namespace

std::string error_text(const Backtest& error) {
  std::vector<std::vector<std::string>> rows{{"command", "trials", "no other", "measured",
                                              "predicted", "error", "median error of a trial"}};
  for (const CommandError& command : error.commands) {
    rows.push_back(row_of(command));
  }
  std::string text = "error on the measured trials, each predicted without its own measurement:\n" +
                     format_table(rows);
  for (const WallError& wall : error.walls) {
    text += line_of(wall);
  }
  return text;
}

}  // namespace hepar::detail
