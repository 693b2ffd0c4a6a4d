#pragma once
#include <hepar/core/config.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace hepar {

/// The end of the time that a run was given, and whether a piece of work ends before it.
class TimeLimit {
 public:
  using Clock = std::chrono::system_clock;

  struct Options {
    /// Local time, "HH:MM[:SS]" (the next time the clock shows it) or "YYYY-MM-DDTHH:MM[:SS]".
    /// Empty: the end of the Slurm job that this is in, if any.
    std::string until;
    double margin_s = 60;  ///< before the end, at which trainings save and stop
    void declare(ConfigSchema& schema);
  };

  TimeLimit() = default;  ///< no limit
  TimeLimit(Clock::time_point end, double margin_s) : end_(end), margin_s_(margin_s) {}

  [[nodiscard]] bool exists() const { return end_.has_value(); }
  /// Whether trainings have to save now.
  [[nodiscard]] bool over(Clock::time_point now) const { return left_s(now) <= margin_s_; }
  /// Whether work of so many seconds that starts now is over in time; always without a limit.
  [[nodiscard]] bool fits(double seconds, Clock::time_point now) const {
    return seconds <= left_s(now);
  }
  [[nodiscard]] std::string text() const;  ///< "2026-11-27 09:30:00"
  /// Seconds since the epoch, for other ranks; 0 without a limit.
  [[nodiscard]] std::int64_t epoch_s() const;

 private:
  [[nodiscard]] double left_s(Clock::time_point now) const;  ///< infinite without a limit

  std::optional<Clock::time_point> end_;  ///< a whole second
  double margin_s_ = 0;
};

/// `until` as an instant after `now`. Throws ConfigError when it is no time, or has passed.
TimeLimit::Clock::time_point instant_of(const std::string& until, TimeLimit::Clock::time_point now);

/// The end of the Slurm job that this process is in: SLURM_JOB_END_TIME, else what one call of
/// `scontrol show job` says; nothing outside of Slurm, for a job without a limit, or when scontrol
/// cannot be asked (then with a warning).
std::optional<TimeLimit::Clock::time_point> end_of_slurm_job();

/// The EndTime in what `scontrol show job` prints; nothing when it is unknown.
std::optional<TimeLimit::Clock::time_point> end_time_in(const std::string& scontrol_job);

/// The limit of this run; none when neither the options nor Slurm name one.
TimeLimit time_limit(const TimeLimit::Options& options);

}  // namespace hepar
